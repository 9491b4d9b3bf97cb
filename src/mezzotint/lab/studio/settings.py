"""Every setting of the studio: what it is called, what it does, and how it is read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mezzotint.errors import InputError, unknown
from mezzotint.lab.studio import guides
from mezzotint.pipeline.editing.change import MAX_PASSES
from mezzotint.pipeline.request import MAX_CFG, MAX_CLIP_SKIP, MAX_STEPS

MOST_PICTURES = 64  # of one drawing
LONGEST = 10_000  # characters of any text
YES = ("1", "true", "on", "yes")

Kind = Literal["number", "choice", "text"]


@dataclass(frozen=True)
class Setting:
    """Something that can be said about a picture.

    Attributes:
        name: as ``Options`` and ``EditOptions`` have it.
        label: for people.
        kind: what it is: a number, one of some choices, or any text.
        says: what it does, in a sentence.
        min, max, step: of a number, where every model's are the same; a step of 1 is whole numbers.
    """

    name: str
    label: str
    kind: Kind
    says: str
    min: float | None = None
    max: float | None = None
    step: float | None = None


SETTINGS: tuple[Setting, ...] = (
    Setting("prompt", "Prompt", "text", "What the picture shows."),
    Setting(
        "negative",
        "Negative prompt",
        "text",
        "What the picture should not show: guidance pushes away from it.",
    ),
    Setting(
        "steps",
        "Steps",
        "number",
        "How many denoising steps are taken from noise to picture; more take longer, and soon "
        "change little.",
        *(1, MAX_STEPS, 1),
    ),
    Setting(
        "cfg",
        "Guidance scale",
        "number",
        "How much further than it would go by itself the model goes towards the prompt; 1 is no "
        "guidance, and much of it burns colours out.",
        *(0, MAX_CFG, 0.5),
    ),
    Setting(
        "cfg_interval",
        "Guided from … to",
        "text",
        "Between which shares of the steps there is guidance, such as 0.1:0.8; the others take "
        "half as long. Left open it is throughout.",
    ),
    Setting(
        "seed",
        "Seed",
        "number",
        "Which noise it begins with: same seed, same picture; left open it is random.",
        *(0, None, 1),
    ),
    Setting("width", "Width", "number", "In pixels; the model's own is best.", None, None, 1),
    Setting("height", "Height", "number", "In pixels; the model's own is best.", None, None, 1),
    Setting(
        "batch",
        "Pictures",
        "number",
        "How many are drawn, one after the other, each of the next seed.",
        *(1, MOST_PICTURES, 1),
    ),
    Setting(
        "sampler",
        "Sampler",
        "choice",
        "How the steps are computed from what the model predicts: some need fewer, and ancestral "
        "ones add new noise as they go.",
    ),
    Setting(
        "spacing",
        "Spacing",
        "choice",
        "At which noise levels the steps are: karras takes more of them where there is little "
        "noise, linspace spreads them evenly in time.",
    ),
    Setting(
        "guidance",
        "Distilled guidance",
        "number",
        "The scale that a model which guidance was distilled into is told.",
        *(0, MAX_CFG, 0.5),
    ),
    Setting(
        "clip_skip",
        "CLIP skip",
        "number",
        "Which layer of the text encoder is read, counted from the end; 1 is the last.",
        *(1, MAX_CLIP_SKIP, 1),
    ),
    Setting(
        "dialect",
        "Prompt language",
        "choice",
        "Whose brackets and weights the prompt is written in; diffusers has none.",
    ),
    Setting(
        "noise",
        "Noise",
        "choice",
        "Whose random numbers the seed stands for, to get another tool's picture from its seed.",
    ),
    Setting(
        "text", "Prompt of the first text encoder", "text", "What it reads instead of the prompt."
    ),
    Setting(
        "text_2",
        "Prompt of the second text encoder",
        "text",
        "What it reads instead of the prompt.",
    ),
    Setting(
        "text_3", "Prompt of the third text encoder", "text", "What it reads instead of the prompt."
    ),
    Setting(
        "strength",
        "Strength",
        "number",
        "How far from the picture that it begins with: 0 gives that back, 1 begins with noise "
        "alone.",
        *(0, 1, 0.01),
    ),
    Setting(
        "expand",
        "Expand",
        "text",
        "Paints more around the picture: 0.5 grows every side by half, or four numbers for left, "
        "top, right and bottom; above 1 they are pixels.",
    ),
    Setting(
        "image_cfg",
        "Picture guidance",
        "number",
        "How much an edit by instruction keeps to the picture.",
        *(0, MAX_CFG, 0.1),
    ),
    Setting(
        "passes",
        "Passes",
        "number",
        "How often each stretch of the steps is gone over; more join what is painted better with "
        "what is around it, and take as many times longer.",
        *(1, MAX_PASSES, 1),
    ),
    Setting(
        "source",
        "What it shows now",
        "text",
        "Then only what the prompt says otherwise changes, for the attention of this one is kept.",
    ),
    Setting(
        "keep",
        "Keep",
        "number",
        "The share of the steps for which that attention is kept.",
        *(0, 1, 0.05),
    ),
)
BY_NAME: Mapping[str, Setting] = {each.name: each for each in SETTINGS}
OF_EDITS = ("strength", "expand", "image_cfg", "passes", "source", "keep", "instruct")
OF_ENCODERS = ("text", "text_2", "text_3")
BESIDE = ("picture", "mask", "variant", "instruct", guides.NAME)  # what is asked with them


def understood(told: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """What is asked, as ``Options`` has it; what is empty is left open.

    Args:
        told: names, of ``SETTINGS`` or ``BESIDE``, and values as a page sends them.

    Raises:
        InputError: there is no such setting, or a number is none.
    """
    found: dict[str, Any] = {}
    for name, value in told:
        if name not in BY_NAME and name not in BESIDE:
            raise unknown("setting", name[:40], [*BY_NAME, *BESIDE])
        if (text := str(value).strip()) != "":
            found[name] = read(name, str(value) if name in ("prompt", "negative") else text)
    return found


def read(name: str, text: str) -> Any:
    """The value of a setting that was written.

    Raises:
        InputError: it is no number, or too long.
    """
    setting = BY_NAME.get(name)
    if name == "instruct":
        return text.lower() in YES
    if name == "expand":
        return _margins(text)
    if name == "cfg_interval":
        return _shares(text)
    if name == guides.NAME:
        return guides.written(guides.guides({name: text}))
    if setting is None or setting.kind != "number":
        if len(text) > LONGEST:
            raise InputError(f"{name} of {len(text):,} characters: give at most {LONGEST:,}")
        return text
    number = _number(name, text, whole=setting.step == 1)
    if name == "batch" and not 1 <= number <= MOST_PICTURES:
        raise InputError(f"batch {text}: give a whole number from 1 to {MOST_PICTURES}")
    return number


def _margins(text: str) -> float | list[float]:
    numbers = [float(_number("expand", part, whole=False)) for part in text.split(",")]
    return numbers[0] if len(numbers) == 1 else numbers


def _shares(text: str) -> tuple[float, float]:
    try:
        start, end = map(float, text.split(":"))
    except ValueError:
        raise InputError(f"cfg_interval {text[:40]!r}: give START:END, such as 0.1:0.8") from None
    return start, end


def _number(name: str, text: str, *, whole: bool) -> float:
    try:
        return int(text) if whole else float(text)
    except ValueError:
        what = "a whole number" if whole else "a number"
        raise InputError(f"{name} {text.strip()[:40]!r}: give {what}") from None
