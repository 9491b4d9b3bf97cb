"""What a `parameters` text says, of ours or A1111's, and what of it cannot be done here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from textwrap import shorten

from mezzotint.diffusion import SPACINGS
from mezzotint.diffusion.noise import check
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.errors import InputError
from mezzotint.pipeline.metadata.names import (
    A1111_SPACINGS,
    COMFYUI_SAMPLERS,
    SAMPLER_LABELS,
    SAMPLER_REMARKS,
    SPACING_LABELS,
    SPACING_REMARKS,
    UNLESS_WHOLE,
    named,
)
from mezzotint.pipeline.metadata.recipe import (
    EDITED,
    STRENGTH,
    Recipe,
    Written,
    recipe_of,
    taken_apart,
)
from mezzotint.pipeline.request import MAX_SEED

MAX_MISSES = 20
ASKED = ("lora", "saving")  # adapters that `mezzotint generate` has options for, of these names
SMALL_GPU = 40_000  # threads, and so numbers before its noise is its own: `philox.normal`

_DDIM_TIMES = "DDIM", "PLMS"  # whatever schedule is chosen
_WHOLE_NOISE = *_DDIM_TIMES, "UniPC"  # these begin with it, others with σ/√(1 + σ²) of it
STOCHASTIC = "euler_ancestral", "dpm2_ancestral", "dpmpp_2s_ancestral", "lcm", "ddpm"
_READ = {  # fields that are understood, or change nothing
    *("Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Version", "RNG", "ENSD"),
    *("Model hash", "Model", "VAE hash", "VAE", "Lora hashes", "TI hashes", "Hashes"),
    *("Prompt", "Negative", "Batch size", "Batch pos", "Distilled CFG Scale", "User", "Clip skip"),
    "CFG interval",
    STRENGTH,
}
_SECOND = re.compile(r"Hires |First pass size")
_SGM = "SGM noise multiplier"
_USUAL = {"Emphasis": "Original", _SGM: "True"}


@dataclass(frozen=True)
class Reading:
    """How a picture was made.

    Attributes:
        recipe: the nearest that we can do.
        tool: what it was made with.
        needs: the files that are not in the recipe's text, such as a LoRA.
        misses: what cannot be matched, a phrase each; without any, the picture can be made again.
    """

    recipe: Recipe
    tool: str
    needs: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()


def parse(text: str) -> Recipe:
    """Read a recipe back from the text of a `parameters` chunk, of ours or another tool's.

    Names of samplers and spacings that we do not have are kept as they stand; what another tool
    does not say (model) is empty.

    Raises:
        InputError: steps, sampler, scale, seed or size are missing or not understood.
    """
    return read_parameters(text).recipe


def read_parameters(text: str) -> Reading:
    """Read the text of a `parameters` chunk.

    Raises:
        InputError: steps, sampler, scale, seed or size are missing or not understood.
    """
    written = taken_apart(_until_settings(text))
    version = written.fields.get("Version", "")
    recipe = recipe_of(written)
    if version.startswith("mezzotint "):
        misses = _unknown(recipe, recipe.sampler, recipe.spacing) + _begun(written)
        misses += [f"{kind} {which}" for kind, which in recipe.adapters if kind not in ASKED]
        return Reading(recipe, version, (), capped(misses))
    sampler, spacing = _labels(written)
    recipe = replace(
        recipe,
        sampler=_sampler(sampler),
        spacing=A1111_SPACINGS.get(spacing, named(spacing, SPACING_LABELS)),
        noise=_noise(written, _sampler(sampler)),
        place=0,
        batch=1,
        dialect="a1111",
    )
    recipe, misses = judged(recipe, "A1111", sampler, spacing)
    if written.fields.get("RNG", "GPU") == "GPU":
        misses += gpu_noise(recipe)
    made = f"A1111 {version}".rstrip()
    return Reading(recipe, made, _needs(written), capped(misses + _told(written)))


def judged(recipe: Recipe, tool: str, sampler: str, spacing: str) -> tuple[Recipe, list[str]]:
    """What a tool's sampler and spacing miss here; and the recipe with noise that can be had."""
    misses = _unknown(recipe, sampler, spacing)
    if (tool, sampler) in SAMPLER_REMARKS:
        misses.append(f"sampler {sampler!r}: {SAMPLER_REMARKS[tool, sampler]}")
    remark = SPACING_REMARKS.get((tool, spacing)) if recipe.spacing else None
    if remark == UNLESS_WHOLE and recipe.steps > 0 and 1000 % recipe.steps == 0:
        remark = None
    if remark:
        misses.append(f"schedule {spacing!r}: {remark}")
    try:
        check(recipe.noise, recipe.sampler)
    except InputError as error:
        misses.append(str(error).rpartition(";")[0])
        recipe = replace(recipe, noise="mezzotint")
    if recipe.seed > MAX_SEED:
        misses.append(f"seed {recipe.seed}: they go to {MAX_SEED} here")
    return recipe, misses


def gpu_noise(recipe: Recipe) -> list[str]:
    """Where noise from a GPU is that of some models only."""
    numbers = 4 * (recipe.width // 8) * (recipe.height // 8) * recipe.batch
    if numbers <= SMALL_GPU or not recipe.noise.startswith(("a1111", "comfyui")):
        return []
    return [f"noise: of {numbers:,} numbers a GPU with fewer threads draws some otherwise"]


def capped(phrases: Sequence[str]) -> tuple[str, ...]:
    """At most ``MAX_MISSES`` phrases, each once and short."""
    short = tuple(dict.fromkeys(shorten(phrase, 200, placeholder=" …") for phrase in phrases))
    more = len(short) - MAX_MISSES
    return (*short[:MAX_MISSES], f"and {more} more") if more > 0 else short


def _until_settings(text: str) -> str:
    """The text without what some extensions write after the settings."""
    lines = text.rstrip().split("\n")
    last = next((k for k in range(len(lines) - 1, -1, -1) if lines[k].startswith("Steps: ")), None)
    return text if last is None else "\n".join(lines[: last + 1])


def _unknown(recipe: Recipe, sampler: str, spacing: str) -> list[str]:
    misses: list[str] = []
    if recipe.sampler not in SAMPLERS:
        misses.append(f"sampler {sampler!r}: there is none of this name here")
    if recipe.spacing and recipe.spacing not in SPACINGS:
        misses.append(f"schedule {spacing!r}: there is none of this name here")
    return misses


def _labels(written: Written) -> tuple[str, str]:
    """A1111's names of the sampler and the schedule; before 1.9 the one ended with the other."""
    sampler, schedule = written.fields["Sampler"], written.fields.get("Schedule type")
    for suffix in ("Karras", "Exponential"):
        if schedule is None and sampler.endswith(f" {suffix}"):
            sampler, schedule = sampler.removesuffix(f" {suffix}"), suffix
    sampler = SAMPLER_LABELS.get(_sampler(sampler), sampler)
    return sampler, "DDIM" if sampler in _DDIM_TIMES else schedule or "Automatic"


def _sampler(label: str) -> str:
    known = {theirs.lower(): ours for ours, theirs in SAMPLER_LABELS.items()}
    return known.get(label.lower(), COMFYUI_SAMPLERS.get(label, label))


def _noise(written: Written, sampler: str) -> str:
    if written.fields.get("RNG") == "CPU":
        return "a1111_cpu"
    delta = re.fullmatch(r"[1-9]\d{0,9}", written.fields.get("ENSD", ""))
    return f"a1111+{delta[0]}" if delta and sampler in STOCHASTIC else "a1111"


def _needs(written: Written) -> tuple[str, ...]:
    fields = written.fields
    needs = [f"model {fields['Model']!r}"] if fields.get("Model") else []
    if needs and fields.get("Model hash"):
        needs[0] += f" (hash {fields['Model hash']})"
    needs += [f"VAE {fields['VAE']!r}"] if fields.get("VAE") else []
    for label, kind in (("Lora hashes", "LoRA"), ("TI hashes", "embedding")):
        names = [part.strip() for part in fields.get(label, "").split(",") if part.strip()]
        needs += [f"{kind} {name!r}" for name in names]
    return capped(needs)


def _begun(written: Written) -> list[str]:
    """That it began with a picture, if it did: no text holds that."""
    if STRENGTH not in written.fields:
        return []
    own = written.fields.get("Version", "").startswith("mezzotint ")
    told = [name for name in (EDITED if own else (STRENGTH,)) if name in written.fields]
    said = ", ".join(f"{name[0].lower()}{name[1:]} {written.fields[name]}" for name in told)
    return [f"the picture that it began with ({said})"]


def _told(written: Written) -> list[str]:
    """What the fields tell that is neither in the recipe nor without effect."""
    fields = written.fields
    passes = [f"{name}: {fields[name]}" for name in fields if _SECOND.match(name)]
    misses = [f"hires fix, a second pass ({', '.join(passes)})"] if passes else []
    if not passes:
        misses += _begun(written)
    if fields.get("RNG") == "CPU" and fields.get("ENSD", "0") != "0":
        misses.append(f"ENSD: {fields['ENSD']} with noise from the CPU")
    if _labels(written)[0] not in _WHOLE_NOISE and fields.get(_SGM) == "True":
        misses.append("its first noise: stronger there, by 0.2% for most models")
    rest = [name for name in fields if name not in _READ and not _SECOND.match(name)]
    return misses + [f"{name}: {fields[name]}" for name in rest if fields[name] != _USUAL.get(name)]
