import pytest

from mezzotint.errors import InputError
from mezzotint.training.presets.storybook import PRESETS
from mezzotint.training.resolve import resolve


def written(tmp_path, text: str):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return file


def test_a_name_is_a_preset():
    assert resolve("clip", {}) == PRESETS["clip"]


def test_a_file_changes_a_preset(tmp_path):
    file = written(
        tmp_path,
        'base = "autoencoder"\nsteps = 7\nlr = 1\nbetas = [0.8, 0.9]\n'
        "[task]\ncrop = 32\n[task.params]\nchannels = [8, 16, 32]\n[pictures]\nsize = 32\n",
    )
    base, mine = PRESETS["autoencoder"], resolve(file, {})
    assert (mine.name, mine.steps, mine.betas) == ("mine", 7, (0.8, 0.9))
    assert isinstance(mine.lr, float)
    assert mine.task.params.channels == (8, 16, 32)
    assert (mine.task.crop, mine.pictures.size) == (32, 32)
    assert mine.task.kl_weight == base.task.kl_weight
    assert mine.pictures.scenes == base.pictures.scenes


def test_overrides_come_last(tmp_path):
    file = written(tmp_path, 'base = "clip"\nsteps = 7\n')
    assert resolve(file, {"steps": 9}).steps == 9


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("steps = 7", "names no base"),
        ('base = "denoizer"', "did you mean 'denoiser'"),
        ('base = "clip"\nstep = 7', "did you mean 'steps'"),
        ('base = "denoiser"\n[task]\ncaption_drop = 0.2', "did you mean 'caption_dropout'"),
        ('base = "clip"\nsteps = "many"', "steps must be of type int, not 'many'"),
        ('base = "clip"\nsteps = 1.5', "steps must be of type int"),
        ('base = "clip"\nbf16 = 1', "bf16 must be of type bool"),
        ('base = "clip"\nbetas = [0.9]', "betas must be a list"),
        ('base = "clip"\npictures = 5', "pictures must be a table"),
        ('base = "clip"\ndecay_shape = "linar"', "did you mean 'linear'"),
        ('base = "clip', "is not TOML"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path, text, says):
    with pytest.raises(InputError, match=says) as error:
        resolve(written(tmp_path, text), {})
    assert "\n" not in str(error.value)


def test_neither_preset_nor_file():
    with pytest.raises(InputError, match="did you mean 'autoencoder'"):
        resolve("autoencode", {})
    with pytest.raises(InputError, match="cannot read recipe"):
        resolve("nowhere.toml", {})
