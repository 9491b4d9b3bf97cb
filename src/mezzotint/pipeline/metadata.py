"""The recipe of a picture as text: the `parameters` chunk that picture tools read and write.

The layout is that of AUTOMATIC1111's web UI, which nearly every client understands:

    a fox in the snow at night
    Negative prompt: blurry
    Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 5.0, Seed: 7, Size: 128x128, …

It is ambiguous where a prompt itself has a line that begins with `Negative prompt:`; then, and
only then, both prompts are given again as quoted fields, so that `parse(render(r)) == r` always.
"""

import json
import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from mezzotint.errors import InputError

CHUNK = "parameters"
_NEGATIVE = "Negative prompt:"
_FIELD = re.compile(r'([\w/][\w /-]*): ("(?:\\.|[^"\\])*"|[^,]*)(?:, |$)')

# our name → the name that clients know
_SAMPLERS = {
    "ddim": "DDIM",
    "pndm": "PLMS",
    "lms": "LMS",
    "euler": "Euler",
    "euler_ancestral": "Euler a",
    "heun": "Heun",
    "dpm2": "DPM2",
    "dpm2_ancestral": "DPM2 a",
    "dpmpp_2s_ancestral": "DPM++ 2S a",
    "dpmpp_sde": "DPM++ SDE",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_3m_sde": "DPM++ 3M SDE",
    "unipc": "UniPC",
    "lcm": "LCM",
}
_SPACINGS = {
    "karras": "Karras",
    "exponential": "Exponential",
    "beta": "Beta",
    "align_your_steps": "Align Your Steps",
    "linspace": "Uniform",
}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a picture; `model` is what `mz.load` was given."""

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


def render(recipe: Recipe) -> str:
    """Write a recipe as the text of the `parameters` chunk."""
    fields = {
        "Steps": recipe.steps,
        "Sampler": _SAMPLERS.get(recipe.sampler, recipe.sampler),
        "Schedule type": _SPACINGS.get(recipe.spacing, recipe.spacing),
        "CFG scale": recipe.cfg,
        "Seed": recipe.seed,
        "Size": f"{recipe.width}x{recipe.height}",
        "Model hash": recipe.model_hash,
        "Model": recipe.model,
        "Version": f"mezzotint {recipe.version}",
    }
    prompts = [recipe.prompt] if recipe.prompt else []
    if recipe.negative:
        prompts.append(f"{_NEGATIVE} {recipe.negative}")
    if _split_prompts("\n".join(prompts)) != (recipe.prompt, recipe.negative):
        fields |= {"Prompt": recipe.prompt, "Negative": recipe.negative}
    settings = ", ".join(f"{name}: {_quote(str(value))}" for name, value in fields.items())
    return "\n".join([*prompts, settings])


def parse(text: str) -> Recipe:
    """Read a recipe back from the text of a `parameters` chunk, of ours or another tool's.

    Names of samplers and spacings that we do not have are kept as they stand; what another tool
    does not say (spacing, model) is empty.

    Raises:
        InputError: steps, sampler, scale, seed or size are missing or not understood.
    """
    prompts, _, settings = text.rpartition("\n")
    prompt, negative = _split_prompts(prompts)
    try:
        fields = {name: _unquote(value) for name, value in _FIELD.findall(settings)}
        width, height = fields["Size"].split("x")
        return Recipe(
            prompt=fields.get("Prompt", prompt),
            negative=fields.get("Negative", negative),
            steps=int(fields["Steps"]),
            sampler=_name_of(fields["Sampler"], _SAMPLERS),
            spacing=_name_of(fields.get("Schedule type", ""), _SPACINGS),
            cfg=float(fields["CFG scale"]),
            seed=int(fields["Seed"]),
            width=int(width),
            height=int(height),
            model=fields.get("Model", ""),
            model_hash=fields.get("Model hash", ""),
            version=fields.get("Version", "").removeprefix("mezzotint "),
        )
    except (KeyError, ValueError) as error:
        raise InputError(f"the recipe is not complete: {error} in {settings[:80]!r}") from error


def attach(recipe: Recipe, image: Image.Image) -> None:
    """Put a recipe into the `info` of a picture, and into every PNG that it is saved as."""
    image.info[CHUNK] = render(recipe)
    chunks = PngInfo()
    chunks.add_text(CHUNK, image.info[CHUNK])
    image.encoderinfo = {"pnginfo": chunks}


def png(image: Image.Image) -> bytes:
    """Encode a picture as PNG, with its recipe if it has one."""
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def read(path: Path) -> Recipe:
    """Read the recipe of a PNG file.

    Raises:
        InputError: the file is not a PNG, or has no recipe.
    """
    try:
        with Image.open(path, formats=["PNG"]) as image:
            text = image.info.get(CHUNK)
    except (UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
        raise InputError(f"{path} is not a PNG picture that can be read") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if not isinstance(text, str):
        raise InputError(f"{path} has no `{CHUNK}` text, so nobody knows how it was made")
    return parse(text)


def _split_prompts(text: str) -> tuple[str, str]:
    match = re.search(rf"^{_NEGATIVE} ?", text, re.MULTILINE)
    if match is None:
        return text, ""
    return text[: match.start()].removesuffix("\n"), text[match.end() :]


def _quote(value: str) -> str:
    plain = value and value == value.strip() and not set(value) & set(',:"\n')
    return value if plain else json.dumps(value, ensure_ascii=False)


def _unquote(value: str) -> str:
    return json.loads(value) if value.startswith('"') else value


def _name_of(label: str, labels: dict[str, str]) -> str:
    return next((name for name, known in labels.items() if known == label), label)
