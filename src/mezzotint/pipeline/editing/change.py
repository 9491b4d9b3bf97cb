"""What is asked of an edit, checked before any work begins."""

from dataclasses import dataclass

from mezzotint.errors import InputError
from mezzotint.families.base import Family
from mezzotint.families.editing import instructs
from mezzotint.pipeline.editing.masks import Box, Found, Mask, Relevant
from mezzotint.pipeline.editing.outpaint import Expand
from mezzotint.pipeline.metadata import recipe as names
from mezzotint.pipeline.request import MAX_CFG

STRENGTH = 0.6  # of an edit that sees the picture only in what it begins with
PASSES, MAX_PASSES = 4, 20  # of what grows, and sees what is around it only as noised


@dataclass(frozen=True)
class Change:
    """How a picture is changed: what `mezzotint.pipeline.request.EditOptions` tells."""

    mask: Mask | None
    strength: float
    expand: Expand | None
    image_cfg: float | None
    passes: int
    source: str | None
    keep: float

    @property
    def keeps(self) -> float | None:
        """The share of a mask that shows only in what is drawn; None where there is no such."""
        if isinstance(self.mask, Relevant) and self.source is None:
            return self.mask.share
        return None

    @property
    def fields(self) -> dict[str, object]:
        """What a picture's metadata tell of it."""
        mask = str(self.mask) if isinstance(self.mask, Box | Found) else "a picture"
        told = {
            names.STRENGTH: self.strength,
            names.IMAGE_CFG: self.image_cfg,
            names.MASK: None if self.mask is None else mask,
            names.EXPAND: None if self.expand is None else _written(self.expand),
            names.PASSES: None if self.passes == 1 else self.passes,
            names.SOURCE: self.source,
            names.KEEP: None if self.source is None else self.keep,
        }
        return {name: value for name, value in told.items() if value is not None}


def checked(
    family: Family,
    name: str,
    *,
    mask: Mask | None,
    strength: float | None,
    expand: Expand | None,
    instruct: bool,
    image_cfg: float | None,
    passes: int | None,
    source: str | None,
    keep: float,
) -> Change:
    """A change that a model of the family, loaded from ``name``, can make.

    Raises:
        InputError: one is out of its range, or of no use with the model or with another.
    """
    beside = family.beside
    if instruct and not instructs(family):
        raise InputError(
            f"{name} is {family.name}, which is told what the result shows: to say what to do, "
            "load storybook-instruct or an InstructPix2Pix checkpoint"
        )
    if expand is not None and (mask is not None or source is not None):
        other = "source" if mask is None else "mask"
        raise InputError(f"expand and {other}: one at a time, then edit the result")
    if source is not None and beside is not None:
        raise InputError(f"source: not with {beside.purpose}, whose network sees the picture")
    if isinstance(mask, Relevant) and source is None and not instructs(family):
        raise InputError(
            f"mask {mask}: say with source what the picture shows now, or load a model that takes "
            "instructions"
        )
    if passes is None:
        passes = 1 if expand is None or (beside is not None and beside.masked) else PASSES
    if source is not None and passes != 1:
        raise InputError(f"passes {passes}: not with source, which knows its noise, leave it out")
    if beside is not None and beside.masked and mask is None and expand is None:
        raise InputError(f"{beside.purpose} needs a mask: a picture, white where to paint anew")
    if not 1 <= passes <= MAX_PASSES or passes != int(passes):
        raise InputError(f"passes {passes}: give a whole number from 1 to {MAX_PASSES}")
    if not 0 <= keep <= 1:
        raise InputError(f"keep {keep}: give a share of the steps, from 0 to 1")
    if strength is None:
        begins = mask is None and expand is None and source is None and beside is None
        strength = STRENGTH if begins else 1.0
    if not 0 <= strength <= 1:
        raise InputError(f"strength {strength}: give a number from 0, the picture, to 1, all new")
    if not strength and expand is not None:
        raise InputError("strength 0: what expand adds would stay empty, give more")
    if mask is None and expand is None and beside is not None and beside.keeps:
        mask = Relevant(beside.keeps)
    scale = _image_cfg(family, image_cfg)
    return Change(mask, float(strength), expand, scale, int(passes), source, keep)


def _image_cfg(family: Family, scale: float | None) -> float | None:
    beside = family.beside
    usual = None if beside is None else beside.image_cfg
    if scale is None:
        return usual
    if usual is None:
        purpose = family.name if beside is None else beside.purpose
        raise InputError(f"image_cfg {scale}: not for {purpose}, leave it out")
    if not 0 <= scale <= MAX_CFG:
        raise InputError(f"image_cfg {scale}: give a number from 0 to {MAX_CFG:g}, such as 1.5")
    return float(scale)


def _written(expand: Expand) -> str:
    four = (expand,) if isinstance(expand, int | float) else expand
    return ",".join(f"{each:g}" for each in four)
