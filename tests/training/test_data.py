import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from mezzotint.errors import InputError
from mezzotint.families.storybook import SIZES
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.training.data import pictures as pictures_module
from mezzotint.training.data import scenes as scenes_module
from mezzotint.training.data.folder import folder_pictures
from mezzotint.training.data.latents import picture_latents, scene_latents
from mezzotint.training.data.pictures import PictureSet, finish, missing_shards, write_shard
from mezzotint.training.data.scenes import HELD_OUT_SEEDS, SceneSet, held_out, scene_pictures
from mezzotint.training.data.tokens import caption_tokens
from mezzotint.training.images import to_tensor
from mezzotint.training.process_group import Group
from mezzotint.training.tokenizer import run_tokenizer, train_tokenizer

ALONE = Group(0, 1, torch.device("cpu"))


def quiet(*_):
    pass


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of 8 pictures."""
    for module in (pictures_module, scenes_module):
        monkeypatch.setattr(module, "SHARD", 8)
    monkeypatch.setattr("mezzotint.training.data.folder.SHARD", 8)
    monkeypatch.setattr("mezzotint.training.data.latents.SHARD", 8)


def read(pictures, tmp_path, held=4):
    return folder_pictures(tmp_path / "data", pictures, 32, held, quiet)


def test_a_folder_is_split_into_training_and_held_out_pictures(pictures, tmp_path, small_shards):
    train, held = read(pictures, tmp_path)
    assert (len(train), len(held)) == (36, 4)
    captions = [wording for s in (train, held) for wordings in s.captions for wording in wordings]
    assert sorted(captions) == sorted(f.read_text() for f in pictures.glob("*.txt"))


def test_pictures_and_captions_stay_together(pictures, tmp_path, small_shards):
    train, _ = read(pictures, tmp_path)
    chosen = np.array([30, 3, 17])
    for picture, index in zip(train.pictures(chosen), chosen, strict=True):
        number = int(train.captions[index][0].split()[-1])
        with Image.open(pictures / f"{number:02d}.png") as original:
            assert np.array_equal(picture, np.asarray(original))


def test_crops_are_windows(pictures, tmp_path, small_shards):
    train, _ = read(pictures, tmp_path)
    chosen, tops, lefts = np.array([9, 20]), np.array([0, 16]), np.array([5, 12])
    windows = train.crops(chosen, tops, lefts, 16)
    whole = train.pictures(chosen)
    assert np.array_equal(windows[0], whole[0, 0:16, 5:21])
    assert np.array_equal(windows[1], whole[1, 16:32, 12:28])


def test_broken_pictures_are_skipped_counted_and_named(pictures, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for k in range(3):
        Image.new("RGB", (50, 40), (k, 0, 0)).save(folder / f"{k}.png")
    (folder / "a_lie.jpg").write_text("this is no picture")
    whole = (folder / "1.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    said: list[str] = []
    train, held = folder_pictures(tmp_path / "data", folder, 16, 1, said.append)
    assert len(train) + len(held) == 3
    assert len(said) == 1
    assert "skipped 2 of 5" in said[0]
    assert "a_lie.jpg" in said[0]
    assert "cut.png" in said[0]


def test_what_is_no_file_is_broken_too(tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    Image.new("RGB", (16, 16)).save(folder / "whole.png")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "inner.png").mkdir()
    (folder / "whole.txt").mkdir()
    said: list[str] = []
    train, _ = folder_pictures(tmp_path / "data", folder, 16, 1, said.append)
    assert train.captions == [[""]]
    assert "skipped 2 of 3" in said[0]


def test_odd_pictures_become_square_and_rgb(tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    Image.new("L", (60, 20), 255).save(folder / "grey.png")
    Image.new("RGBA", (20, 60), (1, 2, 3, 128)).save(folder / "clear.png")
    Image.new("P", (7, 7)).save(folder / "indexed.gif")
    train, _ = folder_pictures(tmp_path / "data", folder, 16, 1, quiet)
    assert train.pictures(np.arange(2)).shape == (2, 16, 16, 3)
    assert train.captions == [[""], [""]]


def test_deep_grey_is_not_clipped(tmp_path):
    folder = tmp_path / "deep"
    folder.mkdir()
    Image.fromarray(np.full((16, 16), 100 * 257, np.uint16)).save(folder / "grey.png")
    train, _ = folder_pictures(tmp_path / "data", folder, 16, 1, quiet)
    assert (train.pictures(np.arange(1)) == 100).all()


def test_one_picture_serves_as_both(tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    Image.new("RGB", (16, 16)).save(folder / "only.png")
    train, held = folder_pictures(tmp_path / "data", folder, 16, 5, quiet)
    assert (len(train), len(held)) == (1, 1)


@pytest.mark.parametrize("kind", ["missing", "empty", "all broken"])
def test_a_folder_without_pictures_is_named(tmp_path, kind):
    folder = tmp_path / "nothing"
    if kind != "missing":
        folder.mkdir()
    if kind == "all broken":
        (folder / "x.png").write_text("x")
    with pytest.raises(InputError, match=r"nothing.*give a folder of pictures"):
        folder_pictures(tmp_path / "data", folder, 16, 5, quiet)


def test_a_changed_folder_is_read_anew(tmp_path):
    folder = tmp_path / "growing"
    folder.mkdir()
    for k in range(4):
        Image.new("RGB", (16, 16)).save(folder / f"{k}.png")
        sets = folder_pictures(tmp_path / "data", folder, 16, 1, quiet)
        assert sum(map(len, sets)) == max(2, k + 1)


def test_an_unfinished_set_is_not_opened(tmp_path, small_shards):
    write_shard(tmp_path, 0, np.zeros((8, 4, 4, 3), np.uint8), [["x"]] * 8)
    with pytest.raises(InputError, match="no finished set"):
        PictureSet(tmp_path)
    assert missing_shards(tmp_path, 20) == [1, 2]
    write_shard(tmp_path, 1, np.zeros((2, 4, 4, 3), np.uint8), [["x"]] * 2)
    assert len(finish(tmp_path, {"size": 4, "count": 10, "single": 0})) == 10


stopped: list["Now"] = []  # pools that were told to leave the rest of their jobs


class Now:
    """Runs jobs at once, in this process."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def shutdown(self, cancel_futures):
        assert cancel_futures
        stopped.append(self)

    def submit(self, work, *args):
        from concurrent.futures import Future

        future: Future = Future()
        future.set_result(work(*args))
        return future


@pytest.fixture
def grey_scenes(small_shards, monkeypatch):
    """Scenes without the world: shard k is grey of tone k; gives what was drawn."""
    drawn: list[int] = []

    def draw(folder, scenes, also, shard):
        drawn.append(shard)
        first, last = shard * 8, min((shard + 1) * 8, scenes.count)
        rows = np.full((last - first, 16, 16, 3), 40 * shard, np.uint8)
        write_shard(folder, shard, rows, [[str(k)] for k in range(first, last)])

    monkeypatch.setattr(scenes_module, "_draw_shard", draw)
    monkeypatch.setattr(scenes_module, "_fetch_art", quiet)
    monkeypatch.setattr("mezzotint.training.data.workers.ProcessPoolExecutor", Now)
    return drawn


def test_latents_of_scenes_are_those_of_their_pictures(tmp_path, grey_scenes):
    torch.manual_seed(0)
    autoencoder = Autoencoder(SIZES.autoencoder).eval()
    scenes = SceneSet(16, 20, 10, 1, 0)
    kept = scene_pictures(tmp_path / "kept", scenes, quiet)
    wanted = picture_latents(kept, autoencoder, ALONE, quiet)
    made, latents = scene_latents(tmp_path / "let go", scenes, autoencoder, ALONE, quiet)
    every = np.arange(20)
    assert np.array_equal(latents.latents(every), wanted.latents(every))
    assert (made.count, made.single, made.captions[19]) == (20, 10, ["19"])
    assert not list((tmp_path / "let go").rglob("0000?.npy"))
    before = len(grey_scenes)
    scene_latents(tmp_path / "let go", scenes, autoencoder, ALONE, quiet)
    assert len(grey_scenes) == before
    torch.manual_seed(1)
    _, others = scene_latents(
        tmp_path / "let go", scenes, Autoencoder(SIZES.autoencoder), ALONE, quiet
    )
    assert len(grey_scenes) == before + 3
    assert not np.array_equal(others.latents(every), wanted.latents(every))


def test_encoding_scenes_goes_on_where_it_stopped(tmp_path, grey_scenes):
    autoencoder = Autoencoder(SIZES.autoencoder)
    scenes = SceneSet(16, 40, 10, 1, 0)

    def stop(*words):
        if words[1] >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scene_latents(tmp_path, scenes, autoencoder, ALONE, stop)
    folder = tmp_path / f"{scenes.folder_name}-latents"
    there = {int(file.stem[-5:]) for file in folder.glob("latents-*")}
    assert len(there) == 2
    assert not (folder / "set.json").exists()
    grey_scenes.clear()
    _, latents = scene_latents(tmp_path, scenes, autoencoder, ALONE, quiet)
    assert sorted(grey_scenes) == sorted(set(range(5)) - there)
    assert latents.latents(np.arange(40)).shape == (40, 4, 2, 2)


def test_scenes_are_drawn_once_and_go_on_where_they_stopped(tmp_path, small_shards, monkeypatch):
    drawn: list[int] = []

    def draw(folder, scenes, also, shard):
        if len(drawn) == 2 and shard == 2:
            raise KeyboardInterrupt
        drawn.append(shard)
        first, last = shard * 8, min((shard + 1) * 8, scenes.count)
        rows = np.full((last - first, 4, 4, 3), shard, np.uint8)
        write_shard(folder, shard, rows, [[str(k)] for k in range(first, last)])

    stopped.clear()
    monkeypatch.setattr(scenes_module, "_draw_shard", draw)
    monkeypatch.setattr(scenes_module, "_fetch_art", quiet)
    monkeypatch.setattr("mezzotint.training.data.workers.ProcessPoolExecutor", Now)
    scenes = SceneSet(4, 20, 10, 1, 0)
    with pytest.raises(KeyboardInterrupt):
        scene_pictures(tmp_path, scenes, quiet)
    assert len(stopped) == 1
    drawn.append(-1)
    said: list[tuple[str, int, int]] = []
    made = scene_pictures(tmp_path, scenes, lambda *words: said.append(words))
    assert said == [("scenes drawn", 20, 20)]
    assert drawn == [0, 1, -1, 2]
    assert (len(made), made.single, made.captions[19]) == (20, 10, ["19"])
    scene_pictures(tmp_path, scenes, quiet)
    assert len(drawn) == 4


def test_no_scene_is_both_trained_on_and_held_out():
    scenes = SceneSet(128, 10**8, 0, 4, 0)
    apart = held_out(scenes, 1024)
    assert apart.first_seed == HELD_OUT_SEEDS > scenes.first_seed + scenes.count
    assert apart.folder_name != scenes.folder_name


def test_another_version_of_the_world_is_another_set(monkeypatch):
    scenes = SceneSet(128, 1000, 0, 4, 0)
    names = set()
    for version in (1, 2, 3):
        monkeypatch.setattr(scenes_module, "VERSION", version)
        names.add(scenes.folder_name)
    assert len(names) == 3


def test_tokens_are_those_of_the_captions(pictures, tmp_path):
    train, _ = read(pictures, tmp_path)
    tokenizer = train_tokenizer([w for ws in train.captions for w in ws], 300, 24)
    tokens = caption_tokens(train, tokenizer)
    assert tokens.shape == (36, 1, 24)
    for index in (0, 20):
        assert tokens[index, 0].tolist() == tokenizer.encode(train.captions[index][0]).ids
    other = train_tokenizer(["red"], 270, 24)
    assert not np.array_equal(caption_tokens(train, other), tokens)
    assert np.array_equal(caption_tokens(train, tokenizer), tokens)


def test_a_tower_that_does_not_fit_the_vocabulary_is_refused(pictures, tmp_path):
    train, _ = read(pictures, tmp_path)
    text = replace(SIZES.text, vocabulary=300, length=24)
    tokenizer = run_tokenizer(tmp_path, text, train)
    assert tokenizer.get_vocab_size() == 300
    with pytest.raises(InputError, match=r"task.text has a vocabulary of 200 .* needs 300 and 1"):
        run_tokenizer(tmp_path, replace(text, vocabulary=200), train)
    with pytest.raises(InputError, match=r"end_token 0: .* needs 300 and 1"):
        run_tokenizer(tmp_path, replace(text, end_token=0), train)


def test_latents_are_the_encoders_means(pictures, tmp_path, tiny_model, small_shards):
    train, _ = read(pictures, tmp_path)
    made = picture_latents(train, tiny_model.autoencoder, ALONE, quiet)
    chosen = np.array([3, 35, 8])
    with torch.no_grad():
        images = to_tensor(torch.from_numpy(train.pictures(chosen)))
        mean, _ = tiny_model.autoencoder.encode(images)
        every, _ = tiny_model.autoencoder.encode(
            to_tensor(torch.from_numpy(train.pictures(np.arange(36))))
        )
    error = torch.from_numpy(made.latents(chosen)).float() - mean
    assert error.abs().mean() < 0.02 * mean.abs().mean()  # bfloat16
    center, spread = made.moments()
    scale = every.std().item()
    torch.testing.assert_close(center, every.mean((0, 2, 3), True), atol=0.02 * scale, rtol=0.02)
    std = every.std((0, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(spread, std, atol=0.02 * scale, rtol=0.02)


def test_latents_are_made_once_for_each_encoder(pictures, tmp_path, tiny_model, small_shards):
    train, _ = read(pictures, tmp_path)
    picture_latents(train, tiny_model.autoencoder, ALONE, quiet)
    files = sorted(train.folder.glob("latents-*.npy"))
    assert len(files) == 5
    stamps = [f.stat().st_mtime_ns for f in files]
    files[2].unlink()
    picture_latents(train, tiny_model.autoencoder, ALONE, quiet)
    again = [f.stat().st_mtime_ns for f in files]
    assert [a == b for a, b in zip(stamps, again, strict=True)] == [True, True, False, True, True]
    with torch.no_grad():
        tiny_model.autoencoder.encoder.conv_in.weight.mul_(1.5)
    try:
        picture_latents(train, tiny_model.autoencoder, ALONE, quiet)
    finally:
        with torch.no_grad():
            tiny_model.autoencoder.encoder.conv_in.weight.div_(1.5)
    assert len(list(train.folder.glob("latents-*.npy"))) == 10


def test_the_set_says_what_it_holds(pictures, tmp_path):
    train, _ = read(pictures, tmp_path)
    about = json.loads((train.folder / "set.json").read_text())
    assert about == {"size": 32, "count": 36, "single": 36}
