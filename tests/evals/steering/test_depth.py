import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from PIL import Image

from mezzotint.checkpoints.packed import save_packed
from mezzotint.errors import InputError
from mezzotint.evals.steering.depth import DepthEye, coarse, load, pearson, spearman
from mezzotint.models.depth import DepthNet, DepthParams

TINY = DepthParams(channels=(16, 16, 16), blocks=(1, 1, 1))


def pictures(size: int, count: int = 3) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    fine = rng.integers(0, 256, (count, 128, 128, 3)).astype(np.uint8)
    large = fine.repeat(size // 128, 1).repeat(size // 128, 2)
    return [Image.fromarray(each) for each in large]


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "depth.safetensors"
    weights = DepthNet(TINY).state_dict()
    save_packed(path, weights, {"depth": json.dumps(asdict(TINY))})
    return path


def test_what_was_exported_is_loaded_and_sees_large_pictures_too(file):
    eye = load(file)
    seen = eye.see(pictures(128))
    assert seen.shape == (3, 32, 32)
    assert torch.allclose(eye.see(pictures(256)), seen, atol=1e-5)
    assert not torch.allclose(seen[0], seen[1])


def test_what_cannot_be_seen_is_refused(file, tmp_path):
    eye = DepthEye(DepthNet(TINY))
    for size in ((64, 64), (128, 256)):
        with pytest.raises(InputError, match="squares of 128 pixels or more"):
            eye.see([Image.new("RGB", size)])
    with pytest.raises(InputError, match="cannot read depth network"):
        load(tmp_path / "none.safetensors")
    save_packed(tmp_path / "other.safetensors", {"weight": torch.ones(2, 2)}, {})
    with pytest.raises(InputError, match="holds no depth network"):
        load(tmp_path / "other.safetensors")


def test_both_correlations_tell_order_and_only_one_of_them_shape():
    asked = torch.rand(2, 8, 8)
    assert pearson(2 * asked + 1, asked) == pytest.approx([1, 1])
    assert spearman(asked**3, asked) == pytest.approx([1, 1])
    assert max(pearson(asked**3, asked)) < 0.99
    assert spearman(-asked, asked) == pytest.approx([-1, -1])
    assert abs(pearson(asked.roll(1, 0), asked)[0]) < 0.5


def test_maps_are_averaged_down():
    fine = np.random.default_rng(0).random((128, 128), np.float32)
    assert coarse([fine, fine])[1, 2, 5].item() == pytest.approx(fine[8:12, 20:24].mean(), rel=1e-5)
