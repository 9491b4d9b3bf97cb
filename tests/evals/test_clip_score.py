"""CLIP score: the formula, and towers that read and see as they were trained to."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_clip
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tokenizers import Tokenizer

from mezzotint.errors import InputError
from mezzotint.evals.clip_score import WEIGHT, clip_score, clip_scores, text_vectors
from mezzotint.evals.towers import load_towers


@given(st.floats(0, np.pi), st.floats(0.01, 100), st.floats(0.01, 100))
def test_the_score_is_the_cosine_of_the_angle(angle: float, long: float, other: float):
    text, image = (
        torch.tensor([[0.0, long]]),
        other * torch.tensor([[np.sin(angle), np.cos(angle)]]),
    )
    found = clip_scores(text.double(), image.double()).item()
    assert found == pytest.approx(WEIGHT * max(0, np.cos(angle)), abs=1e-6)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tiny_clip.run(tmp_path / "clip")
    return tmp_path / "clip"


def test_prompts_are_read_as_in_training(home: Path):
    towers = load_towers(home)
    tokenizer = Tokenizer.from_file(str(home / "export" / "tokenizer.json"))
    prompts = [*tiny_clip.CAPTIONS, "a fox " * 40]  # the last is cut
    tokens = torch.tensor([row.ids for row in tokenizer.encode_batch(prompts)])
    with torch.no_grad():
        _, expected = towers.text.network(tokens)
    found = text_vectors(towers.text, prompts)
    torch.testing.assert_close(found.float(), expected)
    assert not torch.allclose(found[0], found[1])


def test_a_models_folder_has_the_same_towers(home: Path, tmp_path: Path):
    clip = tiny_clip.run(tmp_path / "again")
    tokenizer = (home / "export" / "tokenizer.json").read_bytes()
    tiny_clip.model(tmp_path / "model", clip, tokenizer)
    packed, whole = load_towers(tmp_path / "model"), load_towers(tmp_path / "again")
    vectors = [text_vectors(towers.text, tiny_clip.CAPTIONS) for towers in (packed, whole)]
    torch.testing.assert_close(*vectors, atol=0.2, rtol=0.02)


def test_each_mean_is_of_what_it_says(home: Path):
    towers, prompts = load_towers(home), tiny_clip.CAPTIONS
    colours = ("white", "red", "blue"), ("green", "black", "yellow")
    drawn, true = ([Image.new("RGB", (32, 32), c) for c in each] for each in colours)
    found = clip_score(towers, prompts, drawn, true)
    with torch.no_grad():
        texts = text_vectors(towers.text, prompts)

        def mean(pictures: list[Image.Image], order: list[int]) -> float:
            pixels = torch.stack(
                [torch.from_numpy(np.array(p)).permute(2, 0, 1) / 127.5 - 1 for p in pictures]
            )
            return clip_scores(texts[order], towers.vision(pixels)[1].double()).mean().item()

    assert found.drawn == pytest.approx(mean(drawn, [0, 1, 2]), rel=1e-5)
    assert found.true == pytest.approx(mean(true, [0, 1, 2]), rel=1e-5)
    assert found.shuffled == pytest.approx(mean(drawn, [2, 0, 1]), rel=1e-5)
    assert len({round(each, 4) for each in (found.drawn, found.true, found.shuffled)}) == 3
    assert found.margin > 0


def test_towers_that_do_not_fit_are_refused_in_one_line(home: Path, tmp_path: Path):
    tiny_clip.run(tmp_path / "wide", width=24)
    with pytest.raises(InputError, match=r"width 16.*24.*one CLIP"):
        load_towers(tmp_path / "wide")
    with pytest.raises(InputError, match="no CLIP of ours"):
        load_towers(tmp_path)
    (home / "export" / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match="not a tokenizer"):
        load_towers(home)
    (home / "export" / "text.json").write_text(json.dumps({"length": "long"}))
    with pytest.raises(InputError, match="length must be of type int"):
        load_towers(home)


def test_as_many_prompts_as_pictures(home: Path):
    towers, picture = load_towers(home), Image.new("RGB", (32, 32))
    with pytest.raises(InputError, match="1 prompts, 2 pictures"):
        clip_score(towers, ["a fox"], [picture] * 2, [picture] * 2)
