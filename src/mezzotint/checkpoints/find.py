"""Where a model is: a path, a name in the folders of A1111 or ComfyUI, or an id on the hub.

`MEZZOTINT_MODELS` names the folders of those programs (or their models folders), with the path
separator of the system between; they are used in place.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from mezzotint.checkpoints.diffusers_folder import MODEL_INDEX
from mezzotint.errors import InputError, choose, unknown

VARIABLE = "MEZZOTINT_MODELS"
FOLDERS = {  # A1111's and Forge's names, then ComfyUI's
    "model": ("Stable-diffusion", "checkpoints", "diffusion_models", "unet", "diffusers"),
    "lora": ("Lora", "loras"),
    "vae": ("VAE", "VAE-approx", "vae", "vae_approx"),
    "text encoder": ("text_encoder", "text_encoders", "clip"),
    "image encoder": ("clip_vision",),
    "controlnet": ("ControlNet", "controlnet"),
    "ip-adapter": ("ipadapter",),
    "embedding": ("embeddings",),
}
SUFFIXES = (".safetensors", ".gguf", ".ckpt", ".pt", ".pth", ".bin")  # the first is preferred
_HUB_ID = re.compile(r"([\w-][\w.-]*/[\w-][\w.-]*)(?:@([\w-][\w./-]*))?")


def find(name: str, kind: str = "model") -> Path:
    """The file or folder that ``name`` stands for; the network is asked only if it must be.

    Args:
        name: a path; or the name of a file in the folders of ``MEZZOTINT_MODELS``, with or without
            its suffix and the folders in between; or an id on the Hugging Face hub, `owner/name` or
            `owner/name@revision`.
        kind: which of those folders to look in: a key of ``FOLDERS``.

    Raises:
        InputError: there is none, or several, or the hub cannot be reached.
    """
    folders = choose("kind of model", kind, FOLDERS)
    try:
        if (path := Path(name).expanduser()).exists():
            return path
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{name[:100]!r} is no name that a {kind} can have") from error
    offered = dict(_offered(folders))
    found = [path for path, names in offered.items() if name in names]
    best = min((_rank(path) for path in found), default=0)
    found = [path for path in found if _rank(path) == best]
    if len(found) > 1:
        raise InputError(f"{kind} {name!r} is one of {', '.join(map(str, found[:5]))}: say which")
    if found:
        return found[0]
    if (match := _HUB_ID.fullmatch(name)) and Path(name).suffix not in SUFFIXES:
        from mezzotint.checkpoints.hub import snapshot  # slow to import

        return snapshot(match[1], match[2])
    stems = {path.stem for path in offered}
    if stems:
        raise unknown(f"{kind} (no file, and not in {VARIABLE})", name, stems)
    raise InputError(
        f"there is no {kind} {name!r}: it is no file or folder here, no id such as owner/name, and "
        f"{VARIABLE} names no folder with files of that kind"
    )


def offered(kind: str) -> dict[str, Path]:
    """The models of a kind in the folders of ``MEZZOTINT_MODELS``, by their shortest names."""
    found = dict(_offered(choose("kind of model", kind, FOLDERS)))
    return {path.stem: path for path in sorted(found, key=_rank, reverse=True)}


def _offered(folders: tuple[str, ...]) -> Iterator[tuple[Path, set[str]]]:
    """Every model under the folders, with the names that it goes by."""
    seen: set[Path] = set()
    for root in os.environ.get(VARIABLE, "").split(os.pathsep):
        for base in (Path(root), Path(root, "models")) if root else ():
            for folder in (base / name for name in folders):
                for path in sorted(folder.rglob("*")):
                    if _is_model(path) and path.resolve() not in seen:
                        seen.add(path.resolve())  # VAE and vae may be one folder
                        inside = path.relative_to(folder)
                        short = inside.with_suffix("") if path.is_file() else inside
                        yield path, {inside.as_posix(), short.as_posix(), path.name, short.name}


def _is_model(path: Path) -> bool:
    return path.suffix in SUFFIXES or (path / MODEL_INDEX).is_file()


def _rank(path: Path) -> int:
    return SUFFIXES.index(path.suffix) if path.suffix in SUFFIXES else -1
