"""CLIP towers of ours, out of a run's export or a model's folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tokenizers import Tokenizer
from torch import Tensor, nn

from mezzotint.checkpoints.folder import MANIFEST, load_complete, open_folder
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.table import read_table
from mezzotint.errors import InputError
from mezzotint.families.storybook import BEGIN, SIZES, SIZES_FILE, TOKENIZER, VISION
from mezzotint.families.text import Frame, TextEncoder, bare
from mezzotint.models.clip import CLIPText, CLIPVision
from mezzotint.specs import replaced

N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True)
class Towers:
    """Both towers of a CLIP, trained together."""

    text: TextEncoder
    vision: CLIPVision


def own_folder(path: Path) -> Path | None:
    """The folder of ours that ``path`` means, a run's export or a model; None for a stranger's."""
    for folder in (path, path / "export"):
        if (folder / MANIFEST).is_file() or (folder / "vision.json").is_file():
            return folder
    return None


def own_vision(folder: Path) -> CLIPVision:
    """The image tower in a folder of ours.

    Raises:
        InputError: it has none, or a file is damaged.
    """
    sizes, weights, where = _part(folder, "vision")
    return _filled(CLIPVision(replaced(VISION, sizes, where)), weights, where)


def load_towers(path: Path) -> Towers:
    """The towers of a CLIP run, of its export, or of a model's folder.

    Raises:
        InputError: there are no such towers, they do not belong together, or a file is damaged.
    """
    folder = own_folder(path)
    if folder is None:
        raise InputError(f"{path} has no CLIP of ours: name a CLIP run's folder with --clip")
    vision = own_vision(folder)
    sizes, weights, where = _part(folder, "text")
    text = _filled(CLIPText(replaced(SIZES.text, sizes, where)), weights, where)
    if text.params.projection != vision.params.projection:
        raise InputError(
            f"{path} has a text tower of width {text.params.projection} and an image tower of "
            f"{vision.params.projection}: name the folder of one CLIP"
        )
    end = text.params.end_token
    frame = Frame(BEGIN, end, end, None, length=text.params.length - 2, repeats=False)
    return Towers(TextEncoder(text, bare(_tokenizer(folder)), frame), vision)


def _part(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, Tensor], str]:
    """The sizes and weights of a network in a folder of ours, and what to call it in errors."""
    file = folder / f"{name}.safetensors"
    if (folder / MANIFEST).is_file():
        model = open_folder(folder)
        table = model.table(SIZES_FILE)
        if file.name not in model.hashes or not isinstance(sizes := table.get(name), dict):
            raise InputError(
                f"{folder} has no {name} tower of a CLIP: name a CLIP run's folder with --clip"
            )
        return sizes, model.weights(file.name), str(file)
    tensors = open_tensors(file)
    return read_table(file.with_suffix(".json")), dict(tensors), str(file)


def _filled(network: N, weights: dict[str, Tensor], where: str) -> N:
    load_complete(network, weights, where)
    return network.requires_grad_(False).eval()


def _tokenizer(folder: Path) -> Tokenizer:
    file = folder / TOKENIZER
    try:
        return Tokenizer.from_str(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    except Exception as error:  # tokenizers raises nothing narrower
        raise InputError(f"{file} is not a tokenizer: {error}") from error
