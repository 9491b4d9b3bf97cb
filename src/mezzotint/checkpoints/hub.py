"""Models of the Hugging Face hub, from its cache where they are in it.

`HF_HOME`, `HF_HUB_CACHE`, `HF_HUB_OFFLINE` and `HF_TOKEN` mean what they mean everywhere.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from glob import escape
from pathlib import Path, PurePosixPath

from mezzotint.checkpoints.diffusers_folder import MODEL_INDEX, components, weights_file
from mezzotint.checkpoints.sharded import read_index
from mezzotint.errors import InputError

TIMEOUT = 10  # seconds for the hub's first answer
_TEXT = (".json", ".txt", ".model")
_VARIANT = re.compile(r"\.(fp16|bf16|fp32|non_ema|ema)(?=[.-])")
_NO_WEIGHTS = ("Tokenizer", "TokenizerFast", "Scheduler", "Processor", "FeatureExtractor")


def snapshot(name: str, revision: str | None = None) -> Path:
    """The folder of a model of the hub; nothing is asked of the network if the cache has all of it.

    Args:
        name: such as "owner/name".
        revision: a branch, a tag or a commit; the default branch by default.

    Raises:
        InputError: there is no such model, it is gated, or the hub cannot be reached.
    """
    import huggingface_hub
    from huggingface_hub import errors

    try:
        # no pattern asks for a file: whether what is there is enough is judged here
        cached = huggingface_hub.snapshot_download(
            name, revision=revision, local_files_only=True, allow_patterns=[]
        )
        if is_complete(Path(cached)):
            return Path(cached)
    except (errors.LocalEntryNotFoundError, errors.HFValidationError):
        pass
    wanted = f"{name}@{revision}" if revision else name
    try:
        # unlike a listing, it is asked once: without a network, the answer comes at once
        told = huggingface_hub.HfApi().model_info(name, revision=revision, timeout=TIMEOUT)
        files = [file.rfilename for file in told.siblings or ()]
        patterns = [escape(file) for file in worth_having(files)]
        return Path(
            huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=patterns)
        )
    except errors.GatedRepoError as error:
        page = f"https://huggingface.co/{name}"
        raise InputError(
            f"{wanted} is gated: accept its terms at {page}, `hf auth login`"
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise InputError(f"{wanted} is neither a file here nor a model of the hub") from error
    except (errors.HFValidationError, errors.HTTPError, OSError) as error:
        raise InputError(
            f"{wanted} is no file or folder here and not whole in the Hugging Face cache, and the "
            f"hub cannot be asked ({type(error).__name__}): check the name, or connect, or unset "
            f"HF_HUB_OFFLINE, or `hf download {name}` where there is a network and copy its folder"
        ) from error


def is_complete(folder: Path) -> bool:
    """Whether a snapshot has weights: those of every component, if it is of a pipeline."""
    try:
        if (folder / MODEL_INDEX).is_file():
            files = [
                weights_file(folder / part)
                for part, kind in components(folder).items()
                if not kind.endswith(_NO_WEIGHTS) and part != "safety_checker"
            ]
        else:
            names = ("*.safetensors", "*.bin", "*.index.json", "*.index.*.json")
            files = [file for name in names for file in folder.rglob(name)]
        shards = [f.parent / shard for f in files if f.suffix == ".json" for shard in read_index(f)]
    except InputError:
        return False
    return bool(files) and all(shard.is_file() for shard in shards)


def worth_having(files: Sequence[str]) -> list[str]:
    """The files of a repository to download: texts, and one set of weights a folder.

    Pickles only where there are no safetensors; half precision only where there is no other; beside
    the folders of a pipeline no single file with all of it.
    """
    weights: dict[tuple[PurePosixPath, str], list[str]] = defaultdict(list)
    for file in files:
        path = PurePosixPath(file)
        if path.suffix in (".safetensors", ".bin") and ("/" in file or MODEL_INDEX not in files):
            weights[path.parent, path.suffix].append(file)
    kept = [file for file in files if file.endswith(_TEXT)]
    for (folder, suffix), names in weights.items():
        if suffix == ".bin" and (folder, ".safetensors") in weights:
            continue
        kept += [name for name in names if not _VARIANT.search(name)] or names
    return sorted(kept)
