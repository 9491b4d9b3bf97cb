"""Adapters that learned their character, one that learned another, and one that learned none."""

import re

import pytest
from album import Album

from mezzotint.errors import InputError
from mezzotint.evals.steering import personal
from mezzotint.evals.steering.personal import (
    Personal,
    fidelity,
    personalised,
    read_list,
    settings,
    stacked,
)
from mezzotint.evals.steering.truth import cases
from mezzotint.world import CHARACTERS

SIZE = 32
SETTINGS, PLAIN = settings(6), settings(6, styled=False)
REST = cases(7, ("one object",))
LLAMA = Personal("llama", "lora", True, "llama.pt", "sks llama", "llama", "sheep", "", 8.0)
SEAL = Personal("seal", "dreambooth", False, "seal.pt", "sks seal", "seal", "whale", "", 0.0)
OIL = Personal("oil", "lora", False, "oil.pt", "sks style", "", "", "oil", 0.0)


@pytest.fixture
def album(monkeypatch):
    made = Album()
    monkeypatch.setattr(personal, "painted", made.picture)
    return made


def true(album, kind, some):
    """Draws the true scene of a setting that a prompt ends in."""

    def draw(prompt, seed):
        (where,) = [each for each in some if each.seed == seed]
        return album.picture(where.scene(kind, again=True), SIZE)

    return draw


def rest(album, kin="sheep"):
    """Draws the other prompts, and those of the class with what is taken for its kin."""
    scenes = {prompt.text: prompt.scene for prompt in REST}
    scenes |= {f"a sheep {each.said}": each.scene(kin) for each in SETTINGS}
    return lambda prompt, seed: album.picture(scenes[prompt], SIZE)


def found(album, own, others):
    """Figures of an adapter that draws its character so, and other things so."""

    def draw(prompt, seed):
        return (own if "sks" in prompt else others)(prompt, seed)

    section = personalised(LLAMA, draw, rest(album), album.features, album, SETTINGS, REST, SIZE)
    return {finding.what: finding for finding in section.findings}


def test_who_learned_its_character_draws_it_and_nothing_else_changed(album):
    figures = found(album, true(album, "llama", SETTINGS), rest(album))
    fidelity = figures["subject fidelity"]
    assert fidelity.found.value == fidelity.ceiling == pytest.approx(1)
    assert fidelity.floor < 0.4
    assert figures["recognised"].found.value == figures["recognised"].ceiling == 1
    assert figures["prompt fidelity"].found.value == 1
    for others in ("its class", "the rest"):
        assert figures[f"{others}: accuracy lost"].found.value == 0
        assert figures[f"{others}: likeness kept"].found.value == pytest.approx(1)


def test_who_learned_another_is_at_the_floor(album):
    figures = found(album, true(album, "wizard", SETTINGS), rest(album))
    assert figures["subject fidelity"].found.value == pytest.approx(
        figures["subject fidelity"].floor
    )
    assert figures["recognised"].found.value == 0
    assert figures["prompt fidelity"].found.value == 1


def test_who_draws_its_character_everywhere_and_in_one_place_has_lost_the_rest(album):
    stuck = lambda prompt, seed: album.picture(SETTINGS[0].scene("llama"), SIZE)  # noqa: E731
    figures = found(album, stuck, stuck)
    assert figures["recognised"].found.value == 1
    assert figures["prompt fidelity"].found.value < 0.4
    assert figures["the rest: accuracy lost"].found.value == -1
    assert figures["the rest: likeness kept"].found.value < 0.4


def test_who_draws_its_character_for_all_of_its_class_has_lost_the_class_alone(album):
    figures = found(album, true(album, "llama", SETTINGS), rest(album, kin="llama"))
    assert figures["its class: accuracy lost"].found.value == -1
    assert figures["its class: likeness kept"].found.value < 0.9
    assert figures["the rest: accuracy lost"].found.value == 0


def test_a_place_does_not_make_a_character(album):
    empty = [album.picture(each.scene("wizard"), SIZE) for each in SETTINGS]
    like = fidelity(album.features, "llama", SETTINGS, empty, SIZE)
    assert sum(like.above) == pytest.approx(0, abs=1e-6)
    same = [album.picture(each.scene("llama"), SIZE) for each in SETTINGS]
    like = fidelity(album.features, "llama", SETTINGS, same, SIZE)
    assert like.above == pytest.approx([1] * 6)


def stacking(album, both):
    """Draws a pair's prompts as ``both`` says, with ``worn`` alone rightly."""

    def draw(worn, prompt, seed):
        (where,) = [each for each in PLAIN if each.seed == seed]
        kinds = [each.character for each in worn if each.character and each.word in prompt]
        style = "oil" if OIL in worn and OIL.word in prompt else None
        if len(worn) == 2:
            kinds, style = both(kinds, style)
        where = personal.replace(where, style=style)
        return album.picture(where.scene(kinds[0] if kinds else "fox"), SIZE)

    return draw


def kept(album, pair, both):
    section = stacked(pair, stacking(album, both), album.features, album, PLAIN, SIZE)
    return {f.what.split(":")[0]: f for f in section.findings if "kept" in f.what}


@pytest.mark.parametrize("pair", [(LLAMA, OIL), (OIL, LLAMA), (LLAMA, SEAL)])
def test_two_that_leave_each_other_alone_keep_all(album, pair):
    found = kept(album, pair, lambda kinds, style: (kinds, style))
    assert {name: f.found.value for name, f in found.items()} == {
        each.name: pytest.approx(1) for each in pair
    }
    assert all(f.reached for f in found.values())


def test_what_one_takes_from_the_other_is_seen(album):
    found = kept(album, (LLAMA, OIL), lambda kinds, style: (kinds, None))
    assert found["oil"].found.value == 0
    assert found["llama"].found.value > 0.9  # in another style it is still itself
    found = kept(album, (LLAMA, OIL), lambda kinds, style: (["seal"], style))
    assert found["llama"].found.value < 0.1
    assert found["oil"].found.value == 1


def test_who_does_nothing_alone_has_nothing_to_keep(album):
    def draw(worn, prompt, seed):
        return album.picture(PLAIN[0].scene("fox"), SIZE)

    section = stacked((OIL, OIL), draw, album.features, album, PLAIN, SIZE)
    assert not section.there
    assert "neither does anything" in section.note


def test_settings_are_of_many_places_and_every_third_has_a_style():
    many = settings(33)
    assert len({each.place for each in many}) == 11
    assert len({each.hour for each in many}) == 5
    assert [each.style is not None for each in many] == [k % 3 == 2 for k in range(33)]
    assert not any(each.style for each in settings(9, styled=False))
    assert len({each.seed for each in many}) == 33
    assert all(each.ask.hour in each.scene("llama").hour for each in many)


LIST = """
[[adapter]]
name = "a"
method = "textual-inversion"
prior = false
file = "a.safetensors"
word = "llama-star"
character = "llama"
kin = "sheep"
minutes = 3

[[adapter]]
name = "b"
method = "lora"
prior = true
file = "/b.safetensors"
word = "sks"
style = "oil"

[[stacked]]
of = ["a", "b"]
"""


def test_a_list_names_adapters_and_stacks(tmp_path):
    (tmp_path / "list.toml").write_text(LIST)
    listed = read_list(tmp_path / "list.toml")
    a, b = listed.adapters
    assert (a.file, b.file) == (str(tmp_path / "a.safetensors"), "/b.safetensors")
    assert (a.method, a.minutes, b.prior, b.style) == ("textual-inversion", 3.0, True, "oil")
    assert listed.stacked == ((a, b),)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"llama"', '"lama"', "give a character or a style"),
        ('style = "oil"', "", "give a character or a style"),
        ('kin = "sheep"', 'kin = "shep"', "did you mean 'sheep'"),
        ('kin = "sheep"', "", "'a' has no kin"),
        ('"lora"', '"Lora"', "did you mean 'lora'"),
        ('word = "sks"', "", "'b' has no word"),
        ('["a", "b"]', '["a"]', "two names"),
        ('["a", "b"]', '["a", "c"]', "unknown adapter"),
        ("minutes = 3", "minute = 3", "did you mean 'minutes'"),
        ("minutes = 3", "minutes = ", "is not TOML"),
    ],
)
def test_a_wrong_list_is_refused_in_one_line(tmp_path, old, new, says):
    assert old in LIST
    (tmp_path / "list.toml").write_text(LIST.replace(old, new, 1))
    with pytest.raises(InputError, match=re.escape(says)) as refused:
        read_list(tmp_path / "list.toml")
    assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="cannot read"):
        read_list(tmp_path / "none.toml")


def test_characters_are_new_to_the_model():
    assert "llama" in CHARACTERS
    assert LLAMA.character in CHARACTERS
    assert SEAL.character in CHARACTERS
