"""Arrays on disk, each whole or not at all."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mezzotint.files import whole_file


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as ``.npy``.

    Raises:
        InputError: the folder is missing or not writable, or the disk is full.
    """
    with whole_file(path) as part, part.open("wb") as file:
        # numpy writes a real file by itself, and says nothing of a full disk but how much it wrote
        through: Any = SimpleNamespace(write=file.write)
        np.save(through, array)
