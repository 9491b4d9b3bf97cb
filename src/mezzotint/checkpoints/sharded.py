"""A model in several files: an index in JSON says which file has which tensor.

This is what transformers and diffusers write: `{"metadata": {…}, "weight_map": {tensor: file}}`
as `NAME.index.json`, beside its shards.
"""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import cast

from mezzotint.checkpoints.claims import name_of, text_of
from mezzotint.checkpoints.faults import refuse_any
from mezzotint.checkpoints.table import read_table
from mezzotint.checkpoints.tensors import Stored, Tensors
from mezzotint.errors import InputError


def read_index(path: Path) -> dict[str, list[str]]:
    """The names of the tensors in each shard, by the shard's file name.

    Raises:
        InputError: it is not an index, or names a file outside its folder.
    """
    shards: dict[str, list[str]] = defaultdict(list)
    entries = read_table(path).get("weight_map")
    if not isinstance(entries, dict):
        raise InputError(f"{path} is not the index of a set of shards: it has no weight_map")
    for name, shard in cast("dict[str, object]", entries).items():
        try:
            shards[name_of(shard)].append(name_of(name))
        except ValueError as error:
            raise InputError(f"{path} is not the index of a set of shards: {error}") from error
    outside = [shard for shard in shards if Path(shard).name != shard or "\\" in shard]
    refuse_any(str(path), {"shards outside its folder": outside})
    return dict(shards)


def open_sharded(path: Path, open_file: Callable[[Path], Tensors]) -> Tensors:
    """Open every shard of an index, each by ``open_file``.

    Raises:
        InputError: as ``read_index``; or shards are missing, or tensors are, from their shard.
    """
    shards = read_index(path)
    gone = [shard for shard in shards if not (path.parent / shard).is_file()]
    refuse_any(f"{path} cannot be read without all of its files, fetch the rest", {"missing": gone})
    stored: dict[str, Stored] = {}
    metadata: dict[str, str] = {}
    lost: list[str] = []
    for shard, names in shards.items():
        tensors = open_file(path.parent / shard)
        stored |= {name: tensors.stored[name] for name in names if name in tensors}
        lost += [f"{name} in {shard}" for name in names if name not in tensors]
        metadata |= tensors.metadata
    refuse_any(f"{path} lists tensors that are not there", {"missing": lost})
    own = read_table(path).get("metadata")
    if isinstance(own, dict):
        metadata |= {text_of(k): text_of(v) for k, v in cast("dict[str, object]", own).items()}
    return Tensors(stored, metadata, f"{len(shards)} shards")
