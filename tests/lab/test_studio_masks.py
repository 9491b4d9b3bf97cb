"""The studio's brush in a real browser: what is painted changes, and is loaded to be painted on."""

import io
import re
from urllib.request import urlopen

import numpy as np
from atelier import drawn, finished, ids, pixels, told
from PIL import Image

import mezzotint as mz


def test_only_what_is_painted_changes(studio, address, pipe):
    [own] = drawn(studio, seed=3)
    studio.locator(".tile .open").first.click()
    studio.click("#opened-start")
    canvas = studio.locator("#brush canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    studio.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    studio.mouse.down()
    studio.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 3)
    studio.mouse.up()
    assert "Only what is painted" in studio.inner_text("#masked")
    studio.fill("#prompt", "a castle")
    [edited] = drawn(studio, seed=4)
    before, after = pixels(address, own), pixels(address, edited)
    changed = (before != after).any(-1)
    half = len(before) // 2
    assert changed[:half, :half].any()
    assert not changed[half + 4 :, half + 4 :].any()
    painted = studio.inner_text("#brush output")
    assert re.fullmatch(r"[1-9]\d?% is painted", painted)
    studio.click("#unstart")
    studio.locator(".tile .open").first.click()
    studio.click("#opened-again")
    studio.locator(".tile").nth(2).wait_for()
    finished(studio)
    again = ids(studio)[0]
    assert np.array_equal(pixels(address, again), after)
    assert studio.inner_text("#brush output") == painted  # it can be painted further
    assert masked(address, again).tobytes() == masked(address, edited).tobytes()


def test_what_the_words_do_not_change_can_be_kept(studio, address, pipe):
    drawn(studio, seed=3)
    studio.locator(".tile .open").first.click()
    studio.click("#opened-start")
    studio.fill("#set-source", "a fox in the snow")
    studio.fill("#prompt", "a castle at night")
    studio.check("#relevant")
    [edited] = drawn(studio, seed=4)
    assert told(address, f"pictures/{edited}")["settings"]["mask"] == "relevant"
    before = Image.fromarray(pixels(address, ids(studio)[1]))
    options = {"mask": mz.relevant(), "strength": 0.6, "steps": 2, "seed": 4}
    source = "a fox in the snow"
    true = pipe.edit(before, "a castle at night", source=source, **options).images[0]
    assert np.array_equal(pixels(address, edited), np.asarray(true))
    studio.click("#unstart")
    assert not studio.is_checked("#relevant")
    studio.locator(".tile .open").first.click()
    studio.click("#opened-again")
    studio.locator(".tile").nth(2).wait_for()
    assert studio.is_checked("#relevant")


def masked(address: str, own: str) -> np.ndarray:
    """The mask that a picture was made under."""
    name = told(address, f"pictures/{own}")["settings"]["mask"]
    with urlopen(f"{address}/api/studio/inputs/{name}", timeout=60) as answer:
        return np.asarray(Image.open(io.BytesIO(answer.read())).convert("L"))


def test_a_mask_of_ones_own_keeps_its_greys_where_no_brush_was(studio, address, tmp_path):
    drawn(studio, seed=3)
    studio.locator(".tile .open").first.click()
    studio.click("#opened-start")
    ramp = np.tile(np.linspace(0, 255, 32).astype(np.uint8), (32, 1))
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    studio.locator("#brush input[type=file]").set_input_files(tmp_path / "ramp.png")
    share = studio.locator("#brush output")
    studio.locator("#brush output", has_text="50% is painted").wait_for()
    [edited] = drawn(studio, seed=4)
    assert np.array_equal(masked(address, edited), ramp)
    studio.locator("#brush canvas").press(" ")  # in the middle
    assert share.inner_text() != "50% is painted"
    [edited] = drawn(studio, seed=5)
    found = masked(address, edited)
    over = found != ramp
    assert set(found[over]) <= {0, 255}
    assert over[14:18, 14:18].all()
    assert not over[:8].any()
    for said in ("50% is painted", "0% is painted"):
        studio.locator("#brush button", has_text="Undo").click()
        assert share.inner_text() == said
    (tmp_path / "no.png").write_text("no picture")
    studio.locator("#brush input[type=file]").set_input_files(tmp_path / "no.png")
    studio.locator("#brush output", has_text="no.png is no picture").wait_for()
