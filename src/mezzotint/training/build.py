"""A recipe's task, with its data ready."""

from pathlib import Path

import torch
from torch import nn

from mezzotint.errors import InputError
from mezzotint.families.storybook import denoiser_of, together
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIP
from mezzotint.training.assemble import check_parts, read_autoencoder, read_text, read_tokenizer
from mezzotint.training.data.judged import FIRST_SEED, HELD_OUT_SEED, Judged, judged_scenes
from mezzotint.training.data.latents import LatentSet, picture_latents
from mezzotint.training.data.pictures import PictureSet, Sets
from mezzotint.training.data.tokens import caption_tokens
from mezzotint.training.distilled import build_folding, build_student
from mezzotint.training.journal import note_progress
from mezzotint.training.process_group import Group
from mezzotint.training.recipe import Recipe
from mezzotint.training.sources import open_pictures
from mezzotint.training.task import Task
from mezzotint.training.tasks.autoencoder import AutoencoderRecipe, AutoencoderTask
from mezzotint.training.tasks.clip import CLIPRecipe, CLIPTask, run_tokenizer
from mezzotint.training.tasks.denoiser import Captioned, DenoiserRecipe, DenoiserTask
from mezzotint.training.tasks.folding import FoldingRecipe
from mezzotint.training.tasks.judge import JudgeRecipe, JudgeTask
from mezzotint.training.tasks.student import StudentRecipe


def build(recipe: Recipe, source: Path | None, folder: Path, group: Group) -> Task:
    """The task of a recipe, with the same first weights in every process.

    Args:
        recipe: what to train.
        source: a folder of pictures, or None for the storybook world.
        folder: the run's; data and other runs are its siblings.
        group: the processes that train together.

    Raises:
        InputError: the data cannot be used, or a run that this one stands on is not finished.
    """
    if isinstance(recipe.task, DenoiserRecipe):
        check_parts(folder.parent, recipe.task)
    data = folder.parent / "data"
    if isinstance(recipe.task, JudgeRecipe):
        task = _judge(recipe, recipe.task, source, data, group)
    else:
        sets = group.leader_first(lambda: open_pictures(recipe.pictures, source, data))
        torch.manual_seed(recipe.seed)
        task = _task(recipe, folder, sets, group)
    if recipe.compile:
        for module in _heavy(task.network):
            module.compile()
    return task


def _task(recipe: Recipe, folder: Path, sets: Sets, group: Group) -> Task:
    match recipe.task:
        case AutoencoderRecipe() as task:
            return AutoencoderTask(task, recipe.seed, recipe.steps, sets, group.device)
        case CLIPRecipe() as task:
            return _clip(recipe, task, folder, sets, group)
        case DenoiserRecipe() as task:
            return _denoiser(recipe, task, folder.parent, sets, group)
        case FoldingRecipe() as task:
            return build_folding(recipe, task, folder.parent, sets, group)
        case StudentRecipe() as task:
            return build_student(recipe, task, folder.parent, sets, group)
        case _:
            raise AssertionError(f"{type(recipe.task).__name__} makes its own data")


def _heavy(network: nn.Module) -> list[nn.Module]:
    """The modules that a task calls, which is where compiling begins."""
    match network:
        case Autoencoder():
            return [network.encoder, network.decoder]
        case CLIP():
            return [network.text, network.vision]
        case nn.ModuleDict():
            return list(network.values())
        case _:
            return [network]


def _judge(
    recipe: Recipe, task: JudgeRecipe, source: Path | None, data: Path, group: Group
) -> JudgeTask:
    if source is not None:
        raise InputError(f"recipe {recipe.name!r} has to know what pictures show: give no data")

    def scenes(count: int, first_seed: int) -> Judged:
        return judged_scenes(data, count, first_seed, task.params.kinds, note_progress)

    train = group.leader_first(lambda: scenes(recipe.pictures.scenes, FIRST_SEED))
    held_out = group.leader_first(lambda: scenes(recipe.pictures.held_out, HELD_OUT_SEED))
    torch.manual_seed(recipe.seed)
    return JudgeTask(task, recipe.seed, train, held_out, group.device)


def _clip(recipe: Recipe, task: CLIPRecipe, folder: Path, sets: Sets, group: Group) -> CLIPTask:
    tokenizer = group.leader_first(lambda: run_tokenizer(folder, task.text, sets.train))
    tokens = group.leader_first(
        lambda: (caption_tokens(sets.train, tokenizer), caption_tokens(sets.held_out, tokenizer))
    )
    return CLIPTask(task, recipe.seed, sets, tokens, tokenizer, group.device)


def _denoiser(
    recipe: Recipe, task: DenoiserRecipe, home: Path, sets: Sets, group: Group
) -> DenoiserTask:
    network = denoiser_of(task.network)
    autoencoder = read_autoencoder(home, task).to(group.device)
    latents = [
        picture_latents(pictures, autoencoder, group, note_progress)
        for pictures in (sets.train, sets.held_out)
    ]
    mean, std = (moment.to(group.device) for moment in latents[0].moments())
    text = read_text(home, task).to(group.device)
    tokenizer = read_tokenizer(home, task)
    model = together(network, autoencoder, text, tokenizer, (mean, std), recipe.pictures.size)

    def captioned(pictures: PictureSet, made: LatentSet) -> Captioned:
        tokens = group.leader_first(lambda: caption_tokens(pictures, tokenizer))
        return Captioned(made, tokens, pictures.count, pictures.single)

    train, held_out = captioned(sets.train, latents[0]), captioned(sets.held_out, latents[1])
    return DenoiserTask(task, recipe.seed, recipe.steps, train, held_out, model)
