"""Pictures as vectors: the towers that they come from, and what they are shown."""

from pathlib import Path

import numpy as np
import pytest
import tiny_clip
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional as F
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from mezzotint.adapters.pictures import for_clip
from mezzotint.errors import InputError
from mezzotint.evals.features import BATCH, clip_features, extract, images_of, load_features
from mezzotint.training.images import to_tensor


def pictures(count: int, width: int = 32, height: int = 32) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)) for _ in range(count)
    ]


def directions(vectors: torch.Tensor) -> torch.Tensor:
    return F.normalize(vectors, dim=1)


def test_a_runs_tower_sees_what_it_was_trained_to_see(tmp_path: Path):
    clip = tiny_clip.run(tmp_path / "clip")
    some = pictures(BATCH + 3)
    rows = torch.from_numpy(np.stack([np.array(picture) for picture in some]))
    with torch.no_grad():
        _, expected = clip.vision(to_tensor(rows))
        _, brighter = clip.vision(to_tensor(rows) + 1)  # were it shown [0, 2]
    for place in (tmp_path / "clip", tmp_path / "clip" / "export"):
        found = extract(load_features(place), some)
        assert found.dtype == torch.float64
        torch.testing.assert_close(directions(found).float(), directions(expected))
        assert not torch.allclose(directions(found).float(), directions(brighter), atol=1e-3)
        torch.testing.assert_close(found.square().mean(1), torch.ones(len(some)).double())


def test_a_models_folder_has_the_same_tower_in_8_bits(tmp_path: Path):
    clip = tiny_clip.run(tmp_path / "clip")
    tokenizer = (tmp_path / "clip" / "export" / "tokenizer.json").read_bytes()
    tiny_clip.model(tmp_path / "model", clip, tokenizer)
    some = pictures(4)
    found = extract(load_features(tmp_path / "model"), some)
    torch.testing.assert_close(found, extract(clip_features(clip.vision), some), atol=0.1, rtol=0)
    damaged = tmp_path / "model" / "vision.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    with pytest.raises(InputError, match="is damaged"):
        load_features(tmp_path / "model")


@pytest.mark.parametrize(("width", "height"), [(32, 32), (64, 64), (96, 64), (64, 96), (24, 24)])
def test_transformers_clip_sees_what_openai_shows_it(tmp_path: Path, width: int, height: int):
    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        projection_dim=16,
    )
    theirs = CLIPVisionModelWithProjection(config).eval()
    theirs.save_pretrained(tmp_path / "clip")
    smooth = [p.resize((width, height), Image.Resampling.BICUBIC) for p in pictures(3, 12, 12)]
    with torch.no_grad():
        shown = torch.cat([for_clip(picture, 32) for picture in smooth])
        expected = directions(theirs(shown).image_embeds)
        unlike = directions(theirs(shown.roll(1, 0)).image_embeds)
    found = directions(extract(load_features(tmp_path / "clip"), smooth)).float()
    # Pillow rounds to whole numbers after each of the two passes
    assert (found - expected).abs().max() < 0.01 < 0.05 < (found - unlike).abs().max()


@given(st.integers(0, 255), st.sampled_from([(16, 16), (64, 64), (80, 40)]))
def test_a_plain_picture_looks_alike_at_any_size(value: int, size: tuple[int, int]):
    shown: list[torch.Tensor] = []

    class Tower(torch.nn.Module):
        summary = torch.zeros(1)
        params = tiny_clip.CLIPVisionParams(tiny_clip.TOWER, size=32, patch=8, projection=2)

        def forward(self, pixels: torch.Tensor) -> tuple[None, torch.Tensor]:
            shown.append(pixels)
            return None, torch.ones(len(pixels), 2)

    plain = Image.new("RGB", size, (value, value, value))
    extract(clip_features(Tower()), [plain])  # pyright: ignore[reportArgumentType]
    torch.testing.assert_close(shown[0], torch.full((1, 3, 32, 32), value / 127.5 - 1))


def test_images_of_keeps_the_pixels():
    some = pictures(2, 5, 3)
    back = (images_of(some) * 255).round().permute(0, 2, 3, 1).numpy()
    assert (back == np.stack([np.array(picture) for picture in some])).all()


def test_what_holds_no_network_is_refused_in_one_line(tmp_path: Path):
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    save_file(
        {"Mixed_7c.branch1x1.conv.weight": torch.zeros(1)}, tmp_path / "inception.safetensors"
    )
    (tmp_path / "empty").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest.json").write_text('{"family": "storybook", "sha256": {}}')
    says = {"other.safetensors": "no image encoder", "empty": "empty", "model": "lists no sizes"}
    says["inception.safetensors"] = "Inception"
    for name, words in says.items():
        with pytest.raises(InputError, match=words) as refused:
            load_features(tmp_path / name)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="no pictures"):
        extract(lambda shown: shown, [])
