"""What learns somebody's own pictures, with its data ready, for ``build``."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from mezzotint.adapters.metadata import Trained
from mezzotint.errors import InputError
from mezzotint.families.base import Model
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.training.data.album import Album, Shot, read_album, refuse_unsaid
from mezzotint.training.data.class_pictures import class_pictures
from mezzotint.training.data.examples import Examples, examples, retold
from mezzotint.training.data.other_prompts import other_prompts
from mezzotint.training.data.wordings import Reads, encoded, tokens
from mezzotint.training.journal import note, note_progress
from mezzotint.training.process_group import Group
from mezzotint.training.recipe import Recipe
from mezzotint.training.tasks.personal import LoRARecipe, LoRATask, refuse_known
from mezzotint.training.tasks.personal_word import InversionRecipe, InversionTask, NewWord
from mezzotint.training.teacher import read_base

OTHER_PROMPTS = 64  # with a T5-XXL each takes 8 MB

Prepare = Callable[[tuple[Shot, ...], Callable[[Shot], tuple[str, ...]]], Examples]


def build_lora(
    recipe: Recipe, task: LoRARecipe, source: Path | None, data: Path, group: Group
) -> LoRATask:
    """The task, after pictures of the class are drawn and all latents made.

    Raises:
        InputError: there are no pictures, nothing is said of them, the base cannot learn them, or
            the trigger is a token.
    """
    album = _album(recipe, source)
    if task.prior_weight and not (task.class_prompt or album.prior):
        raise InputError(
            f"recipe {recipe.name!r}: task.class_prompt is empty: say what the subject is one of, "
            'such as "a fox", or give task.prior_weight 0'
        )
    refuse_unsaid(
        album.shots,
        "pictures",
        'give texts beside them, or task.caption, such as "a fox"',
        task.instance or task.caption or task.trigger,
    )
    prior = album.prior if task.prior_weight else ()
    refuse_unsaid(
        prior,
        "pictures of the class",
        'give texts beside them, or task.class_prompt, such as "a fox"',
        task.class_prompt,
    )
    model = _learner(task.base, group)
    if task.trigger:
        refuse_known(model, task.trigger, "trigger")
    if task.prior_weight and not prior:
        prior = _drawn(recipe, task, model, data, group)
    reads = tokens(model) if task.text else encoded(model)
    prepare = _preparer(recipe, model, reads, data, group)
    train, held_out = prepare(album.shots, task.wordings).divided(recipe.pictures.held_out)
    others = None
    if task.kept:
        prompts = other_prompts(model.encoders[0].tokenizer, OTHER_PROMPTS, recipe.seed)
        others = retold(train, prompts, reads)
    subject = task.instance or task.trigger or task.wordings(album.shots[0])[0]
    return LoRATask(
        task,
        recipe.seed,
        train,
        held_out,
        prepare(prior, lambda shot: (shot.caption or task.class_prompt,)) if prior else None,
        others,
        model,
        _trained(
            recipe, task.base, subject, [each.wordings[0] for each in train.ready], len(prior)
        ),
    )


def build_inversion(
    recipe: Recipe, task: InversionRecipe, source: Path | None, data: Path, group: Group
) -> InversionTask:
    """The task, after all latents are made.

    Raises:
        InputError: there are no pictures, the base cannot learn them, or the word cannot be new.
    """
    album = _album(recipe, source)
    if not task.word:
        raise InputError(
            f"recipe {recipe.name!r}: task.word is empty: give a new word, such as zwx-fox"
        )
    model = _learner(task.base, group)
    network = NewWord(model, task.word, task.initial, task.vectors)
    prepare = _preparer(recipe, model, network.reads(), data, group)
    said = tuple(template.replace("{}", task.word) for template in task.templates)
    trained = _trained(recipe, task.base, task.word, list(said), 0)
    train, held_out = prepare(album.shots, lambda shot: said).divided(recipe.pictures.held_out)
    return InversionTask(task, recipe.seed, network, train, held_out, model, trained)


def _album(recipe: Recipe, source: Path | None) -> Album:
    if source is None:
        raise InputError(f"recipe {recipe.name!r} learns pictures of yours: give --data FOLDER")
    return read_album(source, note)


def _learner(base: str, group: Group) -> Model:
    """The base, frozen, if its own loss is what teaches it."""
    model = read_base(base, group.device)
    family, name = model.family, base or "storybook"
    if family.beside:
        raise InputError(
            f"{name} is a checkpoint for {family.beside.purpose}: give one that draws from a "
            "prompt alone, what it learns fits this one too"
        )
    if family.sampler == "lcm":
        raise InputError(f"{name} was distilled to few steps: give the model that it was made of")
    return model


def _drawn(
    recipe: Recipe, task: LoRARecipe, model: Model, data: Path, group: Group
) -> tuple[Shot, ...]:
    digest = hashlib.blake2b(f"{task.class_prompt}/{task.base}".encode(), digest_size=4).hexdigest()
    return class_pictures(
        Pipeline(model, task.base or "storybook"),
        task.class_prompt,
        task.class_pictures,
        data / f"class-{digest}",
        recipe.seed,
        group,
        note_progress,
    )


def _preparer(recipe: Recipe, model: Model, reads: Reads, data: Path, group: Group) -> Prepare:
    task = recipe.task
    assert isinstance(task, LoRARecipe | InversionRecipe)

    def prepare(shots: tuple[Shot, ...], wordings: Callable[[Shot], tuple[str, ...]]) -> Examples:
        return examples(
            shots,
            model,
            recipe.pictures.size,
            data / "kept",
            reads,
            group,
            warn=note,
            progress=note_progress,
            wordings=wordings,
            mirror=task.mirror,
        )

    return prepare


def _trained(
    recipe: Recipe, base: str, subject: str, captions: list[str], class_pictures: int
) -> Trained:
    return Trained(
        title=recipe.name,
        base=Path(base).name or "storybook",
        trigger=subject,
        captions=tuple(captions),
        class_pictures=class_pictures,
        size=recipe.pictures.size,
        steps=recipe.steps,
        batch=recipe.batch,
        lr=recipe.lr,
        seed=recipe.seed,
    )
