import json
from pathlib import Path

import pytest

from mezzotint.checkpoints.tokenizers import BEGIN, CLIP_SIZE
from mezzotint.checkpoints.vocabularies import find_vocabulary
from mezzotint.errors import InputError


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_clip(folder: Path) -> Path:
    folder.mkdir(parents=True)
    vocabulary = {str(i): i for i in range(CLIP_SIZE)} | {BEGIN: CLIP_SIZE - 2}
    del vocabulary[str(CLIP_SIZE - 2)]
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return folder


def write_t5(folder: Path) -> Path:
    folder.mkdir(parents=True)
    vocabulary = [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0]]
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
    return folder


def test_the_installation_that_a_checkpoint_lies_in(tmp_path: Path):
    root = tmp_path / "ComfyUI"
    clip = write_clip(root / "comfy/sd1_tokenizer")
    t5 = write_t5(root / "comfy/text_encoders/t5_tokenizer")
    checkpoint = root / "models/checkpoints/sdxl/model.safetensors"
    assert find_vocabulary("CLIP", [checkpoint]) == clip
    assert find_vocabulary("T5", [checkpoint]) == t5


def test_a_folder_that_is_given_comes_first_and_the_cache_last(tmp_path: Path, cache: Path):
    snapshot = cache / "models--a--b" / "snapshots" / "0"
    cached = write_clip(snapshot / "tokenizer")
    write_clip(snapshot / "tokenizer_2")  # no T5's, though T5's lie in folders called so
    with pytest.raises(InputError, match="no T5 vocabulary"):
        find_vocabulary("T5", [])
    t5 = write_t5(snapshot / "tokenizer_3")
    assert find_vocabulary("CLIP", []) == cached
    assert find_vocabulary("T5", []) == t5
    given = write_clip(tmp_path / "given")
    assert find_vocabulary("CLIP", [given]) == given
    model = write_clip(tmp_path / "model" / "tokenizer")
    assert find_vocabulary("CLIP", [tmp_path / "model"]) == model


def test_none_is_one_line_that_says_what_to_do(tmp_path: Path):
    (tmp_path / "vocab.json").write_text("{}")
    (file := tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match=r"no CLIP vocabulary.*model\.safetensors.*give") as caught:
        find_vocabulary("CLIP", [file])
    assert "\n" not in str(caught.value)
