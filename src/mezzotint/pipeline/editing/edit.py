"""From a picture and how it is to change to what is drawn over what."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Unpack

import torch
from PIL import Image
from torch import Tensor

from mezzotint.adapters.pictures import Picture
from mezzotint.errors import InputError
from mezzotint.families.base import Family, Model
from mezzotint.pipeline.drawing import Ground, Subject
from mezzotint.pipeline.editing import regions, reword
from mezzotint.pipeline.editing.change import Change, checked
from mezzotint.pipeline.editing.masks import Found, Mask, Word
from mezzotint.pipeline.editing.outpaint import Expand, Window, margins, mirrored, windows
from mezzotint.pipeline.editing.pictures import Fit, Size, laid_on, read, resized
from mezzotint.pipeline.prompts import DIALECTS
from mezzotint.pipeline.relevance import changed_mask, relevance_mask
from mezzotint.pipeline.request import Options, Request, complete
from mezzotint.pipeline.words import word_mask

FEATHER = 3  # pixels over which what is painted under a mask runs into the rest, inside of it


@dataclass(frozen=True)
class Edit:
    """A picture, and what of it is painted.

    Attributes:
        model: what draws.
        picture: in RGB, as large as the result.
        fit: how its windows are brought to what the model draws.
        windows: what is painted, one after the other; one of all of it, if it has not grown.
        masked: whether some of it stays.
        begins: whether what is drawn begins with it.
        keeps: share of the greatest change, from which on a place is shown as it was drawn; None
            where all that is painted is.
    """

    model: Model
    picture: Image.Image
    fit: Fit
    windows: Sequence[Window]
    masked: bool
    begins: bool
    keeps: float | None = None

    def ground(self, window: Window, so_far: Image.Image | None) -> Ground:
        """What a window is drawn over."""
        model, takes, whole = self.model, self.model.family.beside, so_far or self.picture
        image = self.fit.image(whole.crop(window.place)).to(model.device)
        mask = self.fit.mask(window.mask).to(model.device) if self.masked else None
        sees = takes is not None and takes.masked
        holds = mask is not None and not sees
        goes_on = self.begins or holds
        seen = goes_on or self.keeps is not None
        latents = model.encode_images(image) if seen else None
        return Ground(
            shown=partial(self._shown, window, whole, latents),
            latents=latents if goes_on else None,
            mask=regions.in_latents(mask, model.factor) if mask is not None and holds else None,
            beside=None if takes is None else takes.channels(model, image, mask if sees else None),
        )

    def unchanged(self, _: Image.Image | None) -> Ground:
        """The picture as it is."""
        image = self.fit.image(self.picture).to(self.model.device)
        return Ground(lambda _: self.picture.copy(), self.model.encode_images(image))

    def _shown(
        self, window: Window, whole: Image.Image, before: Tensor | None, latents: Tensor
    ) -> Image.Image:
        image = self.model.decode_latents(latents)
        new, weight = self.fit.picture(image), window.weight
        if self.keeps is not None and before is not None:
            sides = (image.shape[2], image.shape[3])
            weight = self.fit.grey(changed_mask(before, latents, self.keeps, sides).cpu())
        elif not self.masked:
            return new
        done = whole.copy()
        done.paste(regions.pasted(whole.crop(window.place), new, weight), window.place)
        return done


@torch.no_grad()
def prepared(
    model: Model,
    name: str,
    image: Picture,
    prompt: str,
    *,
    mask: Mask | None = None,
    strength: float | None = None,
    expand: Expand | None = None,
    instruct: bool = False,
    image_cfg: float | None = None,
    passes: int | None = None,
    source: str | None = None,
    keep: float = 0.8,
    **options: Unpack[Options],
) -> tuple[Request, Subject]:
    """What is requested, and what is drawn.

    Args:
        model: what draws.
        name: what it was loaded from.
        image: what is changed, or its file.
        prompt: of the result.
        mask, strength, expand, instruct, image_cfg, passes, source, keep, options: `EditOptions`.

    Raises:
        InputError: a picture cannot be read, or an option is out of its range, or of no use with
            this model or with another option.
    """
    change = checked(
        model.family,
        name,
        mask=mask,
        strength=strength,
        expand=expand,
        instruct=instruct,
        image_cfg=image_cfg,
        passes=passes,
        source=source,
        keep=keep,
    )
    if source is not None:
        reword.refuse_others(model, {"prompt": prompt, "source": source}, options)
        options["sampler"] = reword.sampler(options.get("sampler"))
    picture = laid_on(read(image), "white")
    lay = _grown if expand is not None else _kept
    edit, request = lay(model, picture, prompt, change, options)
    _warn_of_softness(model.family, edit.fit)
    return request, Subject(
        grounds=[partial(edit.ground, window) for window in edit.windows]
        if change.strength
        else [edit.unchanged],
        size=edit.picture.size,
        strength=change.strength,
        image_cfg=1.0 if change.image_cfg is None else change.image_cfg,
        passes=change.passes,
        steps=None if source is None else reword.Reworded(model, source, change.keep),
        fields=change.fields,
        parted=any(each.place != (0, 0, *edit.picture.size) for each in edit.windows),
    )


def _kept(
    model: Model, picture: Image.Image, prompt: str, change: Change, options: Options
) -> tuple[Edit, Request]:
    """An edit within a picture, as large as that or as is asked."""
    family, mask, size = model.family, change.mask, picture.size
    region = None if mask is None or isinstance(mask, Found) else regions.grey(mask, size)
    if options.get("width") is None and options.get("height") is None:
        fit = Fit.of(size, family)
        request = _requested(family, prompt, fit.padded, options)
    else:
        own = (side - side % family.multiple for side in size)
        asked = options.get("width"), options.get("height")
        width, height = (one or other for one, other in zip(asked, own, strict=True))
        request = _requested(family, prompt, (width, height), options)
        size = request.width, request.height
        picture, fit = picture.resize(size, Image.Resampling.LANCZOS), Fit.of(size, family)
        region = None if region is None else resized(region, size)
    if isinstance(mask, Found) and change.keeps is None:
        latents = model.encode_images(fit.image(picture).to(model.device))
        region = fit.grey(_seen(model, latents, prompt, change.source, mask, request).cpu())
    if region is not None and family.beside is not None and family.beside.masked:
        region = regions.hard(region)
    place, all_new = (0, 0, *size), torch.ones(1, 1, 1, 1)
    window = Window(place, all_new, all_new)
    if region is not None:
        own, new = (region == 0).float(), (region > 0).float()
        window = Window(place, region, regions.weights(own, new, FEATHER))
    begins = change.strength < 1 or change.source is not None
    return Edit(model, picture, fit, [window], region is not None, begins, change.keeps), request


def _seen(
    model: Model, latents: Tensor, prompt: str, source: str | None, mask: Found, request: Request
) -> Tensor:
    """What a network finds of a picture, (1, 1, H, W)."""
    dialect = DIALECTS[request.dialect]
    if isinstance(mask, Word):
        return word_mask(model, latents, source or prompt, mask.text, dialect)
    return relevance_mask(model, latents, prompt, source or "", mask.share, dialect)


def _grown(
    model: Model, picture: Image.Image, prompt: str, change: Change, options: Options
) -> tuple[Edit, Request]:
    """A picture with more around it."""
    family = model.family
    if options.get("width") is not None or options.get("height") is not None:
        raise InputError("expand tells how large the result is: leave out width, height and size")
    added = margins(change.expand or 0, picture.size)
    whole = mirrored(picture, added)
    window = min(whole.width, family.size), min(whole.height, family.size)
    fit = Fit.of(window, family)
    request = _requested(family, prompt, fit.padded, options)
    found = windows(whole.size, added, window, feather=model.factor)
    return Edit(model, whole, fit, found, masked=True, begins=change.strength < 1), request


def _requested(family: Family, prompt: str, size: Size, options: Options) -> Request:
    options["width"], options["height"] = size
    return complete(family, prompt, **options)


def _warn_of_softness(family: Family, fit: Fit) -> None:
    (width, height), (own_width, own_height) = fit.scaled, fit.own
    if width < own_width:
        warnings.warn(
            f"the picture is {own_width}x{own_height} and {family.name} draws up to "
            f"{family.largest}: what is new is drawn at {width}x{height} and enlarged",
            stacklevel=5,
        )
