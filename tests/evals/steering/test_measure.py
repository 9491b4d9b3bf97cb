"""The whole measurement, with a tiny model: what it draws, keeps, and says where nothing is."""

import importlib.util
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from album import Album
from PIL import Image

from mezzotint.adapters.base import Injected
from mezzotint.errors import InputError
from mezzotint.evals.judge import Seen
from mezzotint.evals.steering.estimate import Estimate
from mezzotint.evals.steering.findings import Finding, Section, rows
from mezzotint.evals.steering.measure import FILES, Counts, Measurement, Tools, found
from mezzotint.evals.steering.personal import Personal
from mezzotint.evals.steering.report import compared, page, table
from mezzotint.evals.steering.studio import Part, Studio, Worn, contents, control, looks
from mezzotint.families.storybook import obeying
from mezzotint.models.unet import UNet
from mezzotint.pipeline.pipeline import Pipeline

BENCH = Path(__file__).parents[3] / "bench" / "steering.py"
FOX = Image.new("RGB", (32, 32), "orange")


class Blind(Album):
    def see(self, pictures):
        return [Seen((), "", "", "", "", "")] * len(pictures)


@pytest.fixture
def studio(tiny, tmp_path):
    return Studio(tiny, tmp_path / "pictures", {"steps": 1}, lambda *_: None)


def worn(told: str) -> Worn:
    """An adapter that does nothing, and says so."""

    class Nothing:
        def inject(self, parts):
            used.append(told)
            return Injected(lambda: None)

    return Worn(Nothing, (told,))


used: list[str] = []


def test_a_picture_is_drawn_once_and_its_name_tells_all_that_made_it(studio):
    used.clear()
    first = studio.draw("a fox", 0, worn("one"))
    assert studio.draw("a fox", 0, worn("one")).tobytes() == first.tobytes()
    assert used == ["one"]
    studio.draw("a fox", 0, worn("two"))
    studio.draw("a fox", 0)
    studio.draw("a fox", 1)
    studio.draw("a cat", 0)
    assert used == ["one", "two"]
    assert len({*studio.kept}) == 5 == len(list(studio.folder.iterdir()))


def test_pictures_of_other_weights_are_not_taken_for_these(studio, tiny):
    network = deepcopy(tiny.model.network)
    other = replace(tiny, model=replace(tiny.model, digest="", network=network))
    before = replace(studio, pipe=other).draw("a fox", 0).tobytes()
    with torch.no_grad():
        network.conv_in.weight.zero_()
    assert replace(studio, pipe=other).draw("a fox", 0).tobytes() != before
    assert len({*studio.kept}) == 2


def test_an_edit_is_kept_by_its_picture_its_mask_and_its_words(studio):
    mask = Image.new("L", (32, 32))
    mask.paste(255, (8, 8, 24, 24))
    first = studio.edit(FOX, "a fox", 0, mask=mask)
    assert studio.edit(FOX, "a fox", 0, mask=mask).tobytes() == first.tobytes()
    assert len({*studio.kept}) == 1
    studio.edit(FOX, "a cat", 0, mask=mask)
    studio.edit(FOX.rotate(45, fillcolor="red"), "a fox", 0, strength=1.0)
    whole = mask.copy()
    whole.paste(255, (0, 0, 32, 32))
    studio.edit(FOX, "a fox", 0, mask=whole)
    assert len({*studio.kept}) == 4


@pytest.mark.parametrize("usual", [{"image_cfg": 2.0}, {"keeps": 0.9}])
def test_an_edit_by_instruction_is_kept_by_what_its_family_does_unasked(studio, usual):
    model = studio.pipe.model
    network = UNet(replace(model.network.params, channels_in=8)).eval()
    torch.manual_seed(0)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, mean=float(weight.ndim == 1), std=0.1)
    obeys = replace(model, network=network, family=obeying(model.family))
    beside = replace(obeys.family.beside, **usual)
    other = replace(obeys, family=replace(obeys.family, beside=beside))
    drawn = [
        replace(studio, pipe=Pipeline(each, "obeys")).edit(FOX, "make it night", 0)
        for each in (obeys, other)
    ]
    assert drawn[0].tobytes() != drawn[1].tobytes()
    assert len({*studio.kept}) == 2


def test_a_file_that_was_written_anew_is_another(tmp_path):
    file = tmp_path / "control.safetensors"
    file.write_bytes(b"one")
    one, part = contents(file), Part(f"{tmp_path}#edges", file)
    told = control(part, FOX).told
    assert control(part, FOX).told == told
    assert control(Part(f"{tmp_path}#depth", file), FOX).told != told
    assert control(part, FOX.rotate(90, fillcolor="red").resize((16, 16))).told != told
    file.write_bytes(b"other")
    assert contents(file) != one
    with pytest.raises(InputError, match="cannot read"):
        contents(tmp_path / "none")
    assert looks(FOX) != looks(FOX.convert("L"))


def test_controls_are_found_in_a_models_folder_or_named(tmp_path):
    assert found(tmp_path, {}) == {}
    for file in {*FILES.values()}:
        (tmp_path / file).write_bytes(b"")
    parts = found(tmp_path, {"style": str(tmp_path / FILES["content"])})
    assert parts.keys() == FILES.keys() == {"edges", "depth", "boxes", "instruct", "content",
                                            "style"}  # fmt: skip
    assert parts["edges"] == Part(f"{tmp_path}#edges", tmp_path / "control.safetensors")
    assert parts["instruct"].name == f"{tmp_path}#instruct"
    assert parts["style"].file == parts["content"].file
    assert (parts["depth"].kind, parts["style"].kind) == ("depth", "")
    with pytest.raises(InputError, match="did you mean 'edges'"):
        found(tmp_path, {"edge": "x"})
    with pytest.raises(InputError, match="there is no"):
        found(tmp_path, {"edges": str(tmp_path / "none")})


@pytest.fixture
def measurement(studio):
    album = Blind()
    tools = Tools(album, lambda images: images.flatten(1), None)
    return Measurement(studio, None, tools, {}, Counts(7, 2, 1, 2))


def test_what_is_not_there_is_said_and_the_rest_is_measured(measurement):
    sections = {section.name: section for section in measurement.controls()}
    missing = [section for section in sections.values() if section.note.startswith("not there")]
    assert len(missing) == len(FILES) == len(sections) - 1
    assert not any(section.there for section in missing)
    assert "ip-style.safetensors" in sections["IP-Adapter, style"].note
    painted = sections["inpainting"]
    assert painted.findings[0].found.value == 1  # to the bit
    assert painted.findings[1].found.value == 0  # a blind judge finds nothing


def test_a_control_that_does_not_fit_costs_no_other_its_figures(measurement, tmp_path):
    broken = tmp_path / "control.safetensors"
    broken.write_bytes(b"not weights")
    parts = {name: Part(f"{tmp_path}#{name}", broken) for name in ("edges", "depth")}
    broken_one = Measurement(measurement.studio, None, measurement.tools, parts, measurement.counts)
    sections = {section.name: section for section in broken_one.controls()}
    assert sections["edges"].note.startswith("not measured")
    assert "recipe depth" in sections["depth"].note
    assert sections["inpainting"].there
    lost = Personal("a", "lora", True, str(tmp_path / "none"), "sks", "llama", "sheep", "", 0.0)
    assert "cannot read" in broken_one.personal(lost).note
    oil = Personal("b", "lora", True, str(tmp_path / "none"), "sks", "", "", "oil", 0.0)
    assert "where it is stacked" in broken_one.personal(oil).note
    assert "cannot read" in broken_one.stack((lost, oil)).note


SHARE = Finding("made", Estimate(0.75, 0.6, 0.85), 0.7, 0.98, 0.0, percent=True)
PLAIN = Finding("likeness", Estimate(0.8, 0.7, 0.9), 0.85)


def test_a_figure_says_whether_it_reaches():
    assert SHARE.cells == ("made", "**75 %** (60 %–85 %)", "98 %", "0 %", "≥ 70 % ✓")
    assert PLAIN.cells == ("likeness", "**0.80** (0.70–0.90)", "", "", "≥ 0.85 ✗")
    told = Finding("only told", Estimate(0.1, 0.0, 0.2))
    assert told.reached is None
    assert told.cells[4] == ""


def test_the_page_has_every_section_and_its_sheet(tmp_path):
    pictures = rows([(FOX, "one"), (FOX, "two")], [(FOX, "three"), (FOX, "four")])
    assert [text for _, text in pictures] == ["one", "three", "two", "four"]
    there = Section("instruction edits", "Two pairs.", (SHARE, PLAIN), pictures)
    missing = Section("IP-Adapter, style", "not there: no file")
    own = [Section("llama", "lora, 8 min", (SHARE, PLAIN), pictures), Section("seal", "lost")]
    text = page("# Steering", [there, missing], own, tmp_path / "steering")
    assert "![instruction edits](steering/instruction-edits.jpg)" in text
    assert (tmp_path / "steering" / "llama.jpg").stat().st_size > 1000
    assert "## IP-Adapter, style\n\nnot there: no file" in text
    assert "seal: lost" in text
    assert table(there).count("\n") == 3
    assert "| llama | lora, 8 min | **75 %** (60 %–85 %) | **0.80** (0.70–0.90) |" in compared(own)
    assert compared(own[1:]) == ""


def test_the_commands_example_list_is_a_list(tmp_path):
    spec = importlib.util.spec_from_file_location("steering", BENCH)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    example = bench.__doc__[bench.__doc__.index("    [[adapter]]") :]
    (tmp_path / "list.toml").write_text(example)
    listed = bench.read_list(tmp_path / "list.toml")
    assert (len(listed.adapters), len(listed.stacked)) == (2, 1)
