"""CLIP's image tower out of a file: what IP-Adapters see pictures with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL.Image import Image
from torch import Tensor

from mezzotint.adapters.pictures import for_clip, for_storybook
from mezzotint.checkpoints.folder import MANIFEST
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.table import read_table
from mezzotint.errors import InputError
from mezzotint.families import storybook
from mezzotint.families.files.filled import filled
from mezzotint.families.keys.sd_keys import CLIP_VISION
from mezzotint.families.sizes import configs
from mezzotint.families.sizes.sizes_by_shape import Shapes, clip_vision
from mezzotint.models.clip import CLIPVision

_TOWER = ("vision_model.", "visual_projection.")  # beside them, a whole CLIP has its text tower


@dataclass(frozen=True)
class Eye:
    """An image tower, and how it was shown pictures when it was trained.

    Attributes:
        tower: the network.
        prepare: (picture, size) → what it takes (1, 3, size, size).
    """

    tower: CLIPVision
    prepare: Callable[[Image, int], Tensor] = for_clip

    def pixels(self, picture: Image) -> Tensor:
        """What the tower takes of a picture, (1, 3, size, size)."""
        return self.prepare(picture, self.tower.params.size)


def open_eye(path: Path) -> Eye:
    """The image tower of a model's folder of ours, or one of CLIP as ``image_encoder`` reads it.

    Raises:
        InputError: it has none, or as ``image_encoder``.
    """
    if (path / MANIFEST).is_file():
        return Eye(storybook.read_vision(path), for_storybook)
    return Eye(image_encoder(path))


def image_encoder(path: Path) -> CLIPVision:
    """The image tower in a file or transformers' folder, in the dtype that it is stored in, mapped.

    Its sizes are read from the folder's config.json, or else from its shapes.

    Raises:
        InputError: it cannot be read, or is no image tower of CLIP with its projection.
    """
    tensors, source = open_tensors(path), str(path)
    own = {name: shape for name, shape in tensors.shapes.items() if name.startswith(_TOWER)}
    if not own:
        raise InputError(f"{path} is no image encoder: it has no vision_model as CLIP has")
    config = path / "config.json"
    told = read_table(config) if config.is_file() else {}
    if "hidden_size" in told:
        try:
            params = configs.clip_vision(told)
        except KeyError as error:
            raise InputError(f"{config} lacks {error}") from error
    else:
        params = clip_vision(Shapes(CLIP_VISION.shapes(own), source))
    weights = {name: tensors[name] for name in own}
    return filled(lambda: CLIPVision(params), CLIP_VISION, weights, source)
