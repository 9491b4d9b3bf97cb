"""A picture that is given to be edited, checked before any work begins."""

import warnings
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from mezzotint.adapters.pictures import Picture, opened, resized
from mezzotint.errors import InputError
from mezzotint.families.base import Beside, Family, Model
from mezzotint.pipeline.metadata.recipe import IMAGE_CFG, STRENGTH
from mezzotint.pipeline.request import MAX_CFG, Request


@dataclass(frozen=True)
class Edit:
    """What is edited, and how far.

    Attributes:
        takes: what the network takes of the picture.
        image: (1, 3, h, w) in [−1, 1], of the size of the result.
        mask: (1, 1, h, w), 1 where it is painted anew and 0 elsewhere; None where all may change.
        strength: share of the steps that are taken.
        skipped: steps that are not, because they would only change the noised picture.
        image_cfg: scale of guidance by the picture; None where there is none.
    """

    takes: Beside
    image: Tensor
    mask: Tensor | None
    strength: float
    skipped: int
    image_cfg: float | None

    @property
    def fields(self) -> dict[str, float]:
        """What a picture's metadata tell of it."""
        guided = {} if self.image_cfg is None else {IMAGE_CFG: self.image_cfg}
        return {STRENGTH: self.strength} | guided

    def beside(self, model: Model) -> Tensor:
        """What is joined to the latents (1, c, h, w)."""
        return self.takes.channels(model, self.image, self.mask)

    def latents(self, model: Model) -> Tensor:
        """The picture's latents (1, c, h, w)."""
        return model.encode_images(self.image)


def editable(model: Model, source: str) -> Beside:
    """What the model takes of a picture.

    Raises:
        InputError: it draws from prompts alone.
    """
    if model.family.beside is None:
        raise InputError(
            f"{source} is {model.family.name}, which draws from a prompt alone: only checkpoints "
            "made for editing can edit for now (inpainting, InstructPix2Pix, FLUX.1 Fill)"
        )
    return model.family.beside


def sides(
    picture: Image.Image, family: Family, width: int | None, height: int | None
) -> tuple[int, int]:
    """Width and height of the result: as asked, or the picture's to the family's multiple below."""
    own_width, own_height = (side - side % family.multiple for side in picture.size)
    if (width, height) == (None, None) and (own_width, own_height) != picture.size:
        warnings.warn(
            f"the picture is {picture.width}x{picture.height}, the result will be "
            f"{own_width}x{own_height}: {family.name} makes multiples of {family.multiple}",
            stacklevel=4,
        )
    return own_width if width is None else width, own_height if height is None else height


def prepared(
    model: Model,
    takes: Beside,
    picture: Image.Image,
    mask: Picture | None,
    strength: float,
    image_cfg: float | None,
    request: Request,
) -> Edit:
    """Check what is edited and how, and bring picture and mask to the size of ``request``.

    Raises:
        InputError: the mask is missing, of no use here, of another size than the picture, or
            black; ``strength`` leaves no step; ``image_cfg`` is out of its range or of no use.
    """
    size, device = (request.width, request.height), model.device
    grey = _mask(takes, picture, mask)
    painted = None if grey is None else _whiter(grey, size).to(device)
    if not 0 < strength <= 1:
        raise InputError(f"strength {strength}: give a number above 0, to 1, which is all new")
    skipped = request.steps - int(request.steps * strength)
    if skipped == request.steps:
        raise InputError(f"strength {strength} of {request.steps} steps is no step: raise either")
    return Edit(
        takes,
        2 * resized(picture, *size).to(device) - 1,
        painted,
        strength,
        skipped,
        _image_cfg(takes, image_cfg),
    )


def _mask(takes: Beside, picture: Image.Image, mask: Picture | None) -> Image.Image | None:
    """The mask in grey, where the network takes one."""
    if mask is None and takes.masked:
        raise InputError(f"{takes.purpose} needs a mask: a picture, white where to paint anew")
    if mask is None:
        return None
    if not takes.masked:
        raise InputError(f"mask: a checkpoint for {takes.purpose} takes none, leave it out")
    found = opened(mask).convert("L")
    if found.size != picture.size:
        raise InputError(
            f"the mask is {found.width}x{found.height}, the picture "
            f"{picture.width}x{picture.height}: they must be of one size"
        )
    return found


def _whiter(mask: Image.Image, size: tuple[int, int]) -> Tensor:
    """1 where a mask is nearer to white than to black, and 0 elsewhere."""
    found = (resized(mask, *size)[:, :1] >= 0.5).float()
    if not found.any():
        raise InputError("the mask is black all over: make white what is to be painted anew")
    return found


def _image_cfg(takes: Beside, scale: float | None) -> float | None:
    if scale is None or takes.image_cfg is None:
        if scale is not None:
            raise InputError(f"image_cfg {scale}: not for {takes.purpose}, leave it out")
        return takes.image_cfg
    if not 0 <= scale <= MAX_CFG:
        raise InputError(f"image_cfg {scale}: give a number from 0 to {MAX_CFG:g}, such as 1.5")
    return float(scale)
