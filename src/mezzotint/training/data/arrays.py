"""Arrays on disk, each whole or not at all."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mezzotint.files import whole_file


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as ``.npy``.

    Raises:
        InputError: the folder is missing or not writable.
    """
    with whole_file(path) as part, part.open("wb") as file:
        np.save(file, array)
