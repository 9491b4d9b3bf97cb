import errno
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from mezzotint.errors import InputError
from mezzotint.training.data.cached import View, kept, latents, opened_array, pixels
from mezzotint.training.process_group import Group

ALONE = Group(0, 1, torch.device("cpu"))


def quiet(*_):
    pass


@pytest.fixture
def views(tmp_path):
    """Three noisy pictures of 30 × 20 pixels, seen at 24 × 16."""
    rng = np.random.default_rng(0)
    for k in range(3):
        picture = Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8))
        picture.save(tmp_path / f"{k}.png")
    return [View(tmp_path / f"{k}.png", (24, 16), None, False) for k in range(3)]


def encode(model, view):
    image = torch.from_numpy(np.array(view.picture())).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        return model.encode_images(image)[0]


def counted(maker):
    """The same maker, and a list that grows with what it makes."""
    made: list[Image.Image] = []
    return replace(maker, make=lambda picture: (made.append(picture), maker.make(picture))[1]), made


def test_latents_are_what_the_model_makes_of_the_picture(views, tmp_path, tiny_model):
    model = replace(
        tiny_model, latent_mean=torch.full((1, 4, 1, 1), 0.3), latent_std=torch.tensor(2.0)
    )
    files = kept(tmp_path / "kept", views, latents(model), ALONE, quiet)
    for view, file in zip(views, files, strict=True):
        made = opened_array(file)
        assert made.dtype == torch.float32
        assert made.shape == (4, 16 // model.factor, 24 // model.factor)
        assert torch.allclose(made, encode(model, view), atol=1e-5)
        assert not torch.allclose(made, encode(tiny_model, view), atol=1e-2)


def test_companions_are_kept_as_pixels_and_mirrored_with_their_picture(views, tmp_path):
    both = [views[0], replace(views[0], mirrored=True)]
    files = kept(tmp_path / "kept", both, pixels(), ALONE, quiet)
    plain, mirrored = map(opened_array, files)
    picture = np.asarray(views[0].picture())
    assert np.array_equal(plain.numpy(), picture.transpose(2, 0, 1).astype(np.float32) / 255)
    assert torch.equal(mirrored, plain.flip(-1))
    assert not torch.equal(mirrored, plain)


def test_each_picture_is_made_once_and_again_if_anything_changes(views, tmp_path, tiny_model):
    home = tmp_path / "kept"
    maker, made = counted(latents(tiny_model))
    before = kept(home, views, maker, ALONE, quiet)
    assert kept(home, views, maker, ALONE, quiet) == before
    assert len(made) == 3
    ImageOps.invert(Image.open(views[1].file)).save(views[1].file)
    after = kept(home, views, maker, ALONE, quiet)
    assert len(made) == 4
    assert [a == b for a, b in zip(after, before, strict=True)] == [True, False, True]
    for change in ({"size": (16, 16)}, {"shape": (30, 21)}, {"mirrored": True}):
        kept(home, [replace(view, **change) for view in views], maker, ALONE, quiet)
    assert len(made) == 13


def test_another_encoder_is_another_name(tiny_model):
    name = latents(tiny_model).name
    assert latents(replace(tiny_model, digest="")).name == name
    assert latents(replace(tiny_model, latent_mean=torch.ones(1, 4, 1, 1))).name != name
    weight = tiny_model.autoencoder.encoder.conv_in.weight
    before = weight.detach().clone()
    with torch.no_grad():
        weight[0, 0, 0, 0] += 1
        changed = latents(tiny_model).name
        weight.copy_(before)
    assert changed != name
    assert latents(tiny_model).name == name


def test_a_model_in_bfloat16_gives_float32_of_its_own(views, tmp_path, tiny_model):
    networks = {
        name: deepcopy(getattr(tiny_model, name)).bfloat16() for name in ("network", "autoencoder")
    }
    half = replace(tiny_model, **networks)
    (file,) = kept(tmp_path / "kept", views[:1], latents(half), ALONE, quiet)
    assert latents(half).name != latents(tiny_model).name
    made, whole = opened_array(file), encode(tiny_model, views[0])
    assert made.dtype == torch.float32
    assert 0 < (made - whole).abs().mean() < 0.05 * whole.abs().mean()


def test_what_is_interrupted_goes_on_to_the_same_numbers(views, tmp_path, tiny_model):
    wanted = kept(tmp_path / "at once", views, latents(tiny_model), ALONE, quiet)
    maker, made = counted(latents(tiny_model))

    def stop(picture):
        if len(made) == 2:
            raise KeyboardInterrupt
        return maker.make(picture)

    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path / "kept", views, replace(maker, make=stop), ALONE, quiet)
    files = kept(tmp_path / "kept", views, maker, ALONE, quiet)
    assert len(made) == 3
    assert [f.read_bytes() for f in files] == [f.read_bytes() for f in wanted]


def test_two_processes_make_each_picture_once(views, tmp_path, monkeypatch):
    monkeypatch.setattr(Group, "wait", quiet)
    homes = [tmp_path / str(rank) for rank in range(2)]  # neither sees what the other writes
    for rank, home in enumerate(homes):
        kept(home, views, pixels(), Group(rank, 2, ALONE.device), quiet)
    one, other = ({file.name for file in home.iterdir()} for home in homes)
    assert not one & other
    assert (len(one), len(other)) == (2, 1)


def test_a_broken_picture_is_none_and_the_others_stand(views, tmp_path):
    whole = views[1].file.read_bytes()
    views[1].file.write_bytes(whole[: len(whole) // 2])
    files = kept(tmp_path / "kept", views, pixels(), ALONE, quiet)
    assert [file is None for file in files] == [False, True, False]


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(views, tmp_path, monkeypatch):
    done = kept(tmp_path / "kept", views[:1], pixels(), ALONE, quiet)

    def save(file, array):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", save)
        with pytest.raises(InputError, match=r"cannot write .*: No space left") as raised:
            kept(tmp_path / "kept", views, pixels(), ALONE, quiet)
    assert "\n" not in str(raised.value)
    assert list((tmp_path / "kept").iterdir()) == done
    assert None not in kept(tmp_path / "kept", views, pixels(), ALONE, quiet)


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs limits of processes")
def test_a_disk_that_is_really_full_says_so(tmp_path):
    resource = pytest.importorskip("resource")
    import signal

    from mezzotint.training.data.arrays import write_array

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(InputError, match=r"cannot write .*: File too large"):
            write_array(tmp_path / "x.npy", np.zeros(100_000, np.float32))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.iterdir())


def test_an_autoencoder_that_overflows_is_named(views, tmp_path, tiny_model):
    broken = replace(tiny_model, latent_std=torch.zeros(1, 4, 1, 1))
    with pytest.raises(InputError, match="overflows in float32: load the model in float32"):
        kept(tmp_path / "kept", views, latents(broken), ALONE, quiet)
    assert not list((tmp_path / "kept").iterdir())


def test_an_animation_shows_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    view = View(tmp_path / "x.gif", (4, 4), None, False)
    assert view.picture().getpixel((1, 1)) == (255, 0, 0)


def test_progress_is_told_of_what_is_missing_alone(views, tmp_path):
    said: list[tuple[str, int, int]] = []
    for part in (views[:1], views):
        kept(tmp_path / "kept", part, pixels(), ALONE, lambda *words: said.append(words))
    assert said == [("pictures prepared", 1, 1), ("pictures prepared", 2, 2)]
