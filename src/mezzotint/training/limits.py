"""Numbers that make no run are refused before it begins."""

import math
from dataclasses import fields, is_dataclass
from typing import Any, cast

from mezzotint.errors import InputError
from mezzotint.families.storybook import family_of
from mezzotint.models.pyramid import GROUP, SIDE
from mezzotint.training.data.judge_scene import FEWEST
from mezzotint.training.recipe import Recipe, TaskRecipe
from mezzotint.training.tasks.autoencoder import AutoencoderRecipe
from mezzotint.training.tasks.clip import CLIPRecipe
from mezzotint.training.tasks.controlnet import ControlNetRecipe
from mezzotint.training.tasks.denoiser import DenoiserRecipe
from mezzotint.training.tasks.depth import DepthRecipe
from mezzotint.training.tasks.folding import FoldingRecipe
from mezzotint.training.tasks.instruct import InstructRecipe
from mezzotint.training.tasks.ip_adapter import IPAdapterRecipe
from mezzotint.training.tasks.judge import JudgeRecipe
from mezzotint.training.tasks.personal import LoRARecipe
from mezzotint.training.tasks.personal_word import InversionRecipe
from mezzotint.training.tasks.student import StudentRecipe

ONE_OR_MORE = {
    *("steps", "batch", "log_every", "validate_every", "grid_every", "save_every"),
    *("pictures.size", "pictures.scenes", "pictures.wordings", "pictures.held_out", "task.crop"),
    *("task.paths", "task.held_out_paths", "task.rank", "task.walk.steps", "task.walk.stops"),
    *("task.vectors", "task.tokens"),
}
SHARES = {
    *("decay_share", "ema", "task.whole_share", "task.equivariance_share"),
    *("task.caption_dropout", "task.single_share", "task.changed"),
}
IN_A_MODEL = IPAdapterRecipe | InstructRecipe | LoRARecipe | InversionRecipe
ANY = {"task.times_mean"}  # all others are zero or more


def check(recipe: Recipe) -> None:
    """See that a recipe's numbers are in their ranges and fit each other.

    Raises:
        InputError: one is not, or does not; the message names it.
    """
    what = f"recipe {recipe.name!r}"
    _check_numbers(what, recipe)
    _check_network(what, recipe.task, recipe.pictures.size)
    _check_asked(what, recipe.task)
    if recipe.compile and isinstance(recipe.task, StudentRecipe | FoldingRecipe):
        raise InputError(f"{what}: compile: a LoRA is trained as it stands; give false")
    if recipe.compile and isinstance(recipe.task, IN_A_MODEL):
        raise InputError(f"{what}: compile: a model is trained as it stands; give false")


def _check_numbers(what: str, recipe: Recipe) -> None:
    for name, value in _numbers("", recipe):
        low, high = int(name in ONE_OR_MORE), 1 if name in SHARES else math.inf
        if not math.isfinite(value) or (name not in ANY and not low <= value <= high):
            right = f"from {low} to {high}" if name in SHARES else f"of {low} or more"
            raise InputError(f"{what}: {name} {value}: give a number {right}")
    if max(recipe.betas) >= 1:
        raise InputError(f"{what}: betas {list(recipe.betas)}: give numbers below 1")
    scenes, single = recipe.pictures.scenes, recipe.pictures.single
    if single > scenes:
        raise InputError(f"{what}: pictures.single {single}: there are {scenes} scenes in all")


def _check_network(what: str, task: TaskRecipe, size: int) -> None:
    """See that a network that is to be trained can be built, and takes pictures of this size."""
    match task:
        case AutoencoderRecipe(params=params, crop=crop):
            _check_multiple(f"{what}: pictures.size", size, params.factor)
            _check_multiple(f"{what}: task.crop", crop, params.factor)
            if crop > size:
                raise InputError(f"{what}: task.crop {crop}: pictures.size is only {size}")
        case CLIPRecipe(vision=vision, text_run=tower, rivals=rivals):
            if rivals and not tower:
                raise InputError(
                    f"{what}: task.rivals {rivals}: a text tower that learns along has not read "
                    "them; give 0, or a task.text_run"
                )
            if size != vision.size:
                raise InputError(f"{what}: pictures.size {size}: task.vision takes {vision.size}")
        case DenoiserRecipe(network=network):
            _check_multiple(f"{what}: pictures.size", size, family_of(network).multiple)
        case JudgeRecipe(params=params):
            for channels in (*params.channels, params.hidden):
                _check_multiple(f"{what}: task.params.channels and hidden", channels, GROUP)
            if len(params.kinds) < FEWEST:
                raise InputError(f"{what}: task.params.kinds has too few names: give {FEWEST}")
            if size != SIDE:
                raise InputError(f"{what}: pictures.size {size}: the judge sees {SIDE}")
        case DepthRecipe(params=params):
            for channels in params.channels:
                _check_multiple(f"{what}: task.params.channels", channels, GROUP)
            if size != SIDE:
                raise InputError(f"{what}: pictures.size {size}: the depth network sees {SIDE}")
        case _:
            pass


def _check_asked(what: str, task: TaskRecipe) -> None:
    """See that what a network is to learn can be learned, and that there is something to show."""
    match task:
        case ControlNetRecipe(kinds=kinds):
            if not kinds or len(set(kinds)) < len(kinds):
                raise InputError(f"{what}: task.kinds {list(kinds)}: give one or more, each once")
        case IPAdapterRecipe(dropout=dropout) | InstructRecipe(dropout=dropout):
            if 3 * dropout > 1:
                raise InputError(f"{what}: task.dropout {dropout}: three of it are at most 1")
        case DenoiserRecipe() | StudentRecipe() | FoldingRecipe():
            _check_prompts(what, task.prompts)
        case LoRARecipe():
            _check_prompts(what, task.prompts)
            if not task.alpha:
                raise InputError(f"{what}: task.alpha 0 changes nothing: give the rank, or less")
            if task.class_prompt and not task.prior_weight:
                raise InputError(f"{what}: task.class_prompt has no task.prior_weight: give 1")
            if task.prior_weight and not task.class_pictures:
                raise InputError(f"{what}: task.class_pictures 0: give as many as 64")
        case InversionRecipe():
            _check_prompts(what, task.prompts)
            for template in task.templates or ("",):
                if "{}" not in template:
                    raise InputError(
                        f"{what}: task.templates {template!r} has no place for the word: give "
                        "such as 'a picture of {}'"
                    )
        case _:
            pass


def _check_prompts(what: str, prompts: tuple[str, ...]) -> None:
    if not prompts:
        raise InputError(f"{what}: task.prompts is empty: give one or more")


def _check_multiple(name: str, side: int, multiple: int) -> None:
    if side % multiple:
        raise InputError(f"{name} {side}: give a multiple of {multiple}")


def _numbers(name: str, value: Any) -> list[tuple[str, float]]:
    """Every number of a recipe, by dotted name."""
    if is_dataclass(value):
        return [
            number
            for field in fields(value)
            for number in _numbers(f"{name}.{field.name}".lstrip("."), getattr(value, field.name))
        ]
    if isinstance(value, tuple):
        return [number for part in cast("tuple[Any]", value) for number in _numbers(name, part)]
    return [(name, value)] if type(value) in (int, float) else []
