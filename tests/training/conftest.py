"""Pictures and recipes small enough to train in a second."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

COLOURS = {"red": (200, 30, 30), "green": (30, 180, 40), "blue": (40, 60, 220), "grey": (120,) * 3}
SHAPES = ("left", "right", "top", "bottom")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 40 pictures of 32 pixels, with captions."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for k in range(40):
        name, colour = list(COLOURS.items())[k % 4]
        side = SHAPES[k // 4 % 4]
        picture = np.full((32, 32, 3), 240, np.uint8)
        half = {
            "left": np.s_[:, :16],
            "right": np.s_[:, 16:],
            "top": np.s_[:16],
            "bottom": np.s_[16:],
        }
        picture[half[side]] = colour
        noisy = np.clip(picture + rng.integers(-10, 10, picture.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{k:02d}.png")
        (folder / f"{k:02d}.txt").write_text(f"{name} on the {side}, number {k}")
    return folder


TINY: dict[str, Any] = {
    "task": {
        "params": {"channels": [16, 16], "blocks": 1, "groups": 1},
        "crop": 16,
        "equivariance_share": 0.0,
    },
    "pictures": {"size": 32, "held_out": 4},
    "steps": 60,
    "batch": 4,
    "warmup": 5,
    "log_every": 1,
    "validate_every": 60,
    "grid_every": 60,
    "save_every": 3,
}


@pytest.fixture(scope="session")
def tiny_run() -> dict[str, Any]:
    """Fields that make the autoencoder's preset tiny."""
    return TINY
