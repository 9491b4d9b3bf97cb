"""The recipe of a picture as text: the `parameters` chunk that picture tools read and write.

The layout is that of AUTOMATIC1111's web UI, which nearly every client understands:

    a fox in the snow at night
    Negative prompt: blurry
    Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 5.0, Seed: 7, Size: 128x128, …

It is ambiguous where a prompt itself has a line that begins with `Negative prompt:`; then, and
only then, both prompts are given again as quoted fields, so that `parse(render(r)) == r` always.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from mezzotint.errors import InputError
from mezzotint.foreign import parsed
from mezzotint.pipeline.metadata.names import SAMPLER_LABELS, SPACING_LABELS, named

STRENGTH, IMAGE_CFG = "Denoising strength", "Image CFG scale"  # of an edit, A1111's names
MASK, EXPAND, PASSES, SOURCE, KEEP = "Mask", "Expand", "Passes", "Source prompt", "Keep"
EDITED = (STRENGTH, IMAGE_CFG, MASK, EXPAND, PASSES, SOURCE, KEEP)
_NEGATIVE = "Negative prompt:"
_GUIDANCE = "Distilled CFG Scale"  # Forge's name
_CFG_INTERVAL = "CFG interval"
_CLIP_SKIP = "Clip skip"
_DTYPE, _ENGINE = "Precision", "Engine"
DIGITS = 20  # of a whole number that is written, the largest seed has as many
_FIELD = re.compile(r'(?:^|(?<=, ))([^,:"]{1,80}): ("(?:\\.|[^"\\])*"|[^,]*)(?:, |$)')


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a picture.

    Attributes:
        model: what `mz.load` was given.
        noise: whose noise the seed stands for, as `mezzotint.diffusion.noise.source` names it.
        place, batch: which image of how many, where the noise is one batch's.
        dialect: whose prompt language it is, a name in `mezzotint.pipeline.prompts.DIALECTS`.
        guidance: what a network is told that guidance was distilled into; None for its family's.
        cfg_interval: the shares of the sampling between which there is guidance; None throughout.
        clip_skip: which layer of CLIP is read, counted from the end; None for the family's.
        prompts: (text encoder, what it reads instead of the prompt).
        adapters: what was attached beside what the prompt names, as each tells of itself: its kind,
            and which one.
        dtype: what the networks computed in, as `mz.load` is told.
        engine: what executed them.
    """

    prompt: str
    negative: str
    steps: int
    sampler: str
    spacing: str
    cfg: float
    seed: int
    width: int
    height: int
    model: str
    model_hash: str
    version: str
    noise: str = "mezzotint"
    place: int = 0
    batch: int = 1
    dialect: str = "mezzotint"
    guidance: float | None = None
    cfg_interval: tuple[float, float] | None = None
    clip_skip: int | None = None
    prompts: tuple[tuple[str, str], ...] = ()
    adapters: tuple[tuple[str, str], ...] = ()
    dtype: str = "fp32"
    engine: str = "eager"


@dataclass(frozen=True)
class Written:
    """A `parameters` text taken apart: the prompts, and the fields by name."""

    prompt: str
    negative: str
    fields: dict[str, str]


def render(recipe: Recipe, also: Mapping[str, object] | None = None) -> str:
    """Write a recipe as the text of the `parameters` chunk.

    Args:
        recipe: the recipe.
        also: further fields, of what it cannot say: that there was a picture to begin with.
    """
    written: dict[str, object] = {
        "Steps": recipe.steps,
        "Sampler": SAMPLER_LABELS.get(recipe.sampler, recipe.sampler),
        "Schedule type": SPACING_LABELS.get(recipe.spacing, recipe.spacing),
        "CFG scale": recipe.cfg,
        "Seed": recipe.seed,
        "Size": f"{recipe.width}x{recipe.height}",
    }
    if recipe.model_hash:  # of a checkpoint's files it takes long, and nobody may have asked
        written["Model hash"] = recipe.model_hash
    written["Model"] = recipe.model
    if recipe.noise != "mezzotint":
        written["Noise"] = recipe.noise
    if recipe.batch != 1:
        written |= {"Batch size": recipe.batch, "Batch pos": recipe.place}
    if recipe.dialect != "mezzotint":
        written["Dialect"] = recipe.dialect
    if recipe.guidance is not None:
        written[_GUIDANCE] = recipe.guidance
    if recipe.cfg_interval is not None:
        written[_CFG_INTERVAL] = " to ".join(map(str, recipe.cfg_interval))
    if recipe.clip_skip is not None:
        written[_CLIP_SKIP] = recipe.clip_skip
    if recipe.prompts:
        written["Prompts"] = json.dumps(dict(recipe.prompts), ensure_ascii=False)
    if recipe.adapters:
        written["Adapters"] = json.dumps(recipe.adapters, ensure_ascii=False)
    if recipe.dtype != "fp32":
        written[_DTYPE] = recipe.dtype
    if recipe.engine != "eager":
        written[_ENGINE] = recipe.engine
    written |= also or {}
    written["Version"] = f"mezzotint {recipe.version}"
    prompts = [recipe.prompt] if recipe.prompt else []
    if recipe.negative:
        prompts.append(f"{_NEGATIVE} {recipe.negative}")
    if _split_prompts("\n".join(prompts)) != (recipe.prompt, recipe.negative):
        written |= {"Prompt": recipe.prompt, "Negative": recipe.negative}
    settings = ", ".join(f"{name}: {_quote(str(value))}" for name, value in written.items())
    return "\n".join([*prompts, settings])


def taken_apart(text: str) -> Written:
    """Split a `parameters` text, of ours or another tool's, into prompts and fields."""
    prompts, _, settings = text.rpartition("\n")
    prompt, negative = _split_prompts(prompts)
    written = {name: _unquote(value) for name, value in _FIELD.findall(settings)}
    return Written(written.get("Prompt", prompt), written.get("Negative", negative), written)


def recipe_of(written: Written) -> Recipe:
    """The recipe that was written, with another tool's names where we have none.

    What is not said (spacing, model) is empty, and what we alone write is as usual.

    Raises:
        InputError: steps, sampler, scale, seed or size are missing or not understood.
    """
    fields = written.fields
    try:
        width, height = fields["Size"].split("x")
        return Recipe(
            prompt=written.prompt,
            negative=written.negative,
            steps=_integer(fields["Steps"]),
            sampler=named(fields["Sampler"], SAMPLER_LABELS),
            spacing=named(fields.get("Schedule type", ""), SPACING_LABELS),
            cfg=_number(fields["CFG scale"]),
            seed=_integer(fields["Seed"]),
            width=_integer(width),
            height=_integer(height),
            model=fields.get("Model", ""),
            model_hash=fields.get("Model hash", ""),
            version=fields.get("Version", "").removeprefix("mezzotint "),
            noise=fields.get("Noise", "mezzotint"),
            place=_integer(fields.get("Batch pos", "0")),
            batch=_integer(fields.get("Batch size", "1")),
            dialect=fields.get("Dialect", "mezzotint"),
            guidance=_number(fields[_GUIDANCE]) if _GUIDANCE in fields else None,
            cfg_interval=_shares(fields[_CFG_INTERVAL]) if _CFG_INTERVAL in fields else None,
            prompts=_prompts(fields.get("Prompts", "{}")),
            adapters=_adapters(fields.get("Adapters", "[]")),
            clip_skip=_integer(fields[_CLIP_SKIP]) if _CLIP_SKIP in fields else None,
            dtype=fields.get(_DTYPE, "fp32"),
            engine=fields.get(_ENGINE, "eager"),
        )
    except (KeyError, ValueError) as error:
        said = ", ".join(f"{name}: {value}" for name, value in fields.items())
        raise InputError(f"the recipe is not complete: {error} in {said[:80]!r}") from error


def _integer(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError(f"{text[:DIGITS]}… has too many digits")
    return int(text)


def _number(text: str) -> float:
    if not math.isfinite(number := float(text)):  # no JSON holds another, and nothing is drawn so
        raise ValueError(f"{text!r} is no number")
    return number


def _shares(text: str) -> tuple[float, float]:
    start, end = text.split(" to ")
    return _number(start), _number(end)


def _prompts(text: str) -> tuple[tuple[str, str], ...]:
    table = parsed(text)
    if not isinstance(table, dict):
        raise ValueError(f"Prompts is {text!r}, not a table")
    return tuple(sorted((str(name), str(prompt)) for name, prompt in table.items()))


def _adapters(text: str) -> tuple[tuple[str, str], ...]:
    try:
        return tuple((str(kind), str(which)) for kind, which in parsed(text))
    except TypeError as error:
        raise ValueError(f"Adapters is {text!r}, not a list of pairs") from error


def _split_prompts(text: str) -> tuple[str, str]:
    match = re.search(rf"^{_NEGATIVE} ?", text, re.MULTILINE)
    if match is None:
        return text, ""
    return text[: match.start()].removesuffix("\n"), text[match.end() :]


def _quote(value: str) -> str:
    plain = value and value == value.strip() and not set(value) & set(',:"\n')
    return value if plain else json.dumps(value, ensure_ascii=False)


def _unquote(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(parsed(value))
    except ValueError as error:
        raise InputError(f"the recipe is not complete: {value[:80]!r} is no text") from error
