"""Tests of the embedded model wait until its weights are there."""

from importlib.resources import files

import pytest

needs_weights = pytest.mark.skipif(
    not files("mezzotint.weights").joinpath("manifest.json").is_file(),
    reason="the embedded weights are not built yet",
)
