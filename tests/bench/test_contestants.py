import sys
from pathlib import Path

import pytest

from mezzotint.bench import contestants
from mezzotint.bench.contestants import (
    OURS,
    PEERS,
    SCRIPTS,
    SDCPP,
    Contestant,
    absence,
    engines,
    peers,
    versions,
)
from mezzotint.bench.shapes import SHAPES
from mezzotint.errors import InputError

TINY = SHAPES["tiny"]


@pytest.fixture(autouse=True)
def _half(monkeypatch: pytest.MonkeyPatch):
    """As on a processor that multiplies bfloat16."""
    monkeypatch.setattr(contestants, "usual", lambda: "bf16")


def test_where_nothing_multiplies_bfloat16_nothing_is_timed_in_it(monkeypatch):
    monkeypatch.setattr(contestants, "usual", lambda: "fp32")
    assert [each.name for each in engines("eager:fp32,eager")] == ["mezzotint eager fp32"]
    assert [each.name for each in peers("diffusers:fp32,diffusers")] == ["diffusers fp32"]
    assert {each.dtype for each in engines("all")} == {"fp32"}


def test_engines_and_peers_are_told_by_words():
    assert [each.name for each in engines("eager:fp32, eager")] == [
        "mezzotint eager fp32",
        "mezzotint eager bf16",
    ]
    assert [each.name for each in peers("diffusers:fp32,diffusers-compiled,sdcpp,")] == [
        "diffusers fp32",
        "diffusers compiled bf16",
        "stable-diffusion.cpp f16",
    ]
    assert peers("") == []
    saving, less = engines("openvino+deepcache,eager+deepcache=2:fp32")
    assert (saving.engine, saving.saving) == ("openvino", "deepcache")
    assert less.name == "mezzotint eager deepcache=2 fp32"


def test_whole_numbers_have_a_ceiling_of_their_own():
    eight, sixteen = Contestant(OURS, "bf16", "openvino-int8"), Contestant(OURS, "bf16", "openvino")
    assert (eight.multiplies, sixteen.multiplies) == ("int8", "bf16")


def test_all_engines_begin_with_the_reference_and_name_each_once():
    found = engines("all")
    assert found[0].name == "mezzotint eager fp32"
    assert len({each.name for each in found}) == len(found)
    assert all(each.kind is OURS and each.engine != "auto" for each in found)


@pytest.mark.parametrize(
    ("read", "text", "named"),
    [
        (engines, "eagre", "eager"),
        (engines, "eager:fp64", "eager:bf16"),
        (engines, "eager+depcache", "deepcache"),
        (peers, "difusers", "diffusers"),
        (peers, "openvino-compiled", "openvino-compiled"),
    ],
)
def test_what_nobody_knows_is_refused_with_what_is_right(read, text: str, named: str):
    with pytest.raises(InputError, match=named):
        read(text)


def test_what_an_interpreter_has_is_asked_of_it():
    found = versions(sys.executable, peers("diffusers"))
    assert found["diffusers"]
    assert set(found) == set(PEERS["diffusers"].needs)
    with pytest.raises(InputError, match="/no/python"):
        versions("/no/python", peers("diffusers"))


def test_why_somebody_is_absent_is_said():
    (ours,), (theirs, ov, cpp) = engines("eager"), peers("diffusers,openvino,sdcpp")
    here = dict.fromkeys(ov.kind.needs, "1")
    assert absence(ours, TINY, "cpu", {}, None) == ""
    assert absence(theirs, TINY, "cpu", here, None) == ""
    assert absence(ov, TINY, "cpu", here, None) == ""
    lacking = here | {"openvino-genai": None}
    assert absence(ov, TINY, "cpu", lacking, None).endswith("pip install openvino-genai")
    assert "GPU" in absence(ov, TINY, "cuda", here, None)
    assert absence(ours, SHAPES["storybook"], "cpu", {}, None) == ""
    assert absence(theirs, SHAPES["storybook"], "cpu", here, None)
    assert "--sdcpp" in absence(cpp, SHAPES["sd15"], "cpu", {}, None)
    assert absence(cpp, SHAPES["sd15"], "cpu", {}, Path("sd")) == ""
    assert absence(cpp, SHAPES["flux"], "cpu", {}, Path("sd"))


def test_every_script_is_there():
    assert {kind.script for kind in (OURS, SDCPP, *PEERS.values())} <= {
        file.name for file in SCRIPTS.iterdir()
    }


def test_who_takes_no_noise_is_known_by_its_script():
    for kind in (OURS, SDCPP, *PEERS.values()):
        scripts = (SCRIPTS / kind.script).read_text("utf-8")
        if "draw_by" in scripts:
            scripts += (SCRIPTS / "draw_by.py").read_text("utf-8")
        assert ('told["noise"]' in scripts) == kind.noise, kind.title
