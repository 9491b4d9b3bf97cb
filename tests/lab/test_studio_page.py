"""The studio in a real browser: what is drawn there is what Python draws of the same settings."""

import json
from urllib.request import urlopen

import numpy as np
from atelier import drawn, finished, ids, pixels, told
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.lab.studio.settings import SETTINGS

FOX = "a fox in the snow"
A1111 = (
    "a castle, oil painting\nNegative prompt: fog\nSteps: 3, Sampler: Euler a, "
    "Schedule type: Karras, CFG scale: 2.5, Seed: 18446744073709551615, Size: 64x64, "
    "Hires upscale: 2, Version: v1.10.1"
)


def test_what_is_drawn_is_what_python_draws(studio, address, pipe):
    own = drawn(studio, seed=7, batch=2, cfg=3.5)
    assert len(own) == 2
    here = pipe.generate(FOX, steps=2, cfg=3.5, seed=7, batch=2).images
    for each, image in zip(reversed(own), here, strict=True):
        assert np.array_equal(pixels(address, each), np.asarray(image))
    assert not np.array_equal(*map(np.asarray, here))
    assert studio.locator("#plate img").count() == 2


def test_every_setting_has_its_sentence_and_says_it_when_asked(studio):
    says = {each.name: each.says for each in SETTINGS}
    controls = studio.locator("#ask [name]").all()
    assert len(controls) > 10
    for control in controls:
        name = control.get_attribute("name")
        sentence = studio.locator(f"#{control.get_attribute('aria-describedby')}")
        assert sentence.text_content() == says[name]
    assert not studio.locator("#says-steps").is_visible()
    studio.click("#explain")
    assert studio.locator("#says-steps").is_visible()
    offered = studio.locator("#set-sampler option").evaluate_all("all => all.map(e => e.value)")
    assert offered == list(SAMPLERS)


def test_cancel_ends_it_and_keeps_nothing_unfinished(studio, address):
    studio.fill("#set-steps", "1000")
    studio.click("#go")
    studio.locator("#plate img[src]").wait_for()
    studio.click("#stop")
    assert studio.inner_text("#said") == "Cancelled."
    assert studio.locator("#plate figcaption").inner_text() == "Not finished, and not kept."
    assert told(address, "pictures")["pictures"] == []
    assert len(drawn(studio, steps=2)) == 1  # and the next can begin at once


def test_what_is_wrong_is_said(studio):
    studio.fill("#prompt", "a fox <lora:nowhere:1>")
    studio.click("#go")
    studio.locator("#said", has_text="nowhere").wait_for()
    assert studio.is_enabled("#go")
    studio.fill("#set-steps", "0")
    studio.click("#go")
    assert studio.is_enabled("#go")  # the browser has refused
    assert studio.locator("#set-steps:invalid").count() == 1


def test_the_form_is_kept(studio):
    studio.fill("#negative", "fog")
    studio.reload()
    studio.locator("#set-steps").wait_for()
    assert studio.input_value("#prompt") == FOX
    assert (studio.input_value("#negative"), studio.input_value("#set-steps")) == ("fog", "2")
    studio.click("#usual")
    assert studio.input_value("#set-steps") != "2"
    assert studio.input_value("#prompt") == FOX


def test_the_gallery_goes_by_keys(studio, address):
    newest, *_, oldest = own = drawn(studio, batch=3, seed=1)
    studio.locator(".tile .open").first.focus()
    studio.keyboard.press("ArrowRight")
    studio.keyboard.press("ArrowRight")
    studio.keyboard.press("ArrowRight")  # there are no more
    studio.keyboard.press("f")
    studio.locator(".star[aria-pressed=true]").wait_for()
    assert [each["id"] for each in told(address, "pictures?favourite=true")["pictures"]] == [oldest]
    studio.keyboard.press("Delete")
    studio.locator("#toast", has_text="Deleted.").wait_for()
    assert ids(studio) == own[:2]
    assert [each["id"] for each in told(address, "pictures")["pictures"]] == own[:2]
    studio.keyboard.press("z")
    studio.locator(f"[data-id='{oldest}']").wait_for()
    assert ids(studio) == own
    assert studio.evaluate("document.activeElement.closest('.tile').dataset.id") == oldest
    studio.keyboard.press("ArrowLeft")
    studio.keyboard.press("ArrowLeft")
    studio.keyboard.press("Enter")
    studio.locator("#opened-title").wait_for()
    assert studio.url.endswith(f"#{newest}")
    studio.keyboard.press("ArrowRight")
    studio.wait_for_url(f"**#{own[1]}")
    studio.keyboard.press("Escape")
    studio.wait_for_url("**/studio")


def test_the_gallery_is_searched(studio):
    fox = drawn(studio)
    studio.fill("#prompt", "an owl")
    owl = drawn(studio)
    studio.fill("#search", "owl")
    studio.locator("#counted", has_text="1 picture").wait_for()
    assert ids(studio) == owl
    studio.check("#favourites")
    studio.locator("#counted", has_text="None").wait_for()
    studio.uncheck("#favourites")
    studio.fill("#search", "")
    studio.locator("#counted", has_text="2 pictures").wait_for()
    assert ids(studio) == owl + fox


def test_a_link_opens_its_picture_and_a_prompt_is_text(studio, address):
    studio.fill("#prompt", "<img src=x onerror=alert(1)> fox")
    [own] = drawn(studio)
    studio.goto(f"{address}/")
    studio.goto(f"{address}/studio#{own}")
    studio.locator("#recipe", has_text="Steps: 2").wait_for()
    assert studio.inner_text("#opened-title") == "<img src=x onerror=alert(1)> fox"
    recipe = told(address, f"pictures/{own}")["recipe"]
    assert studio.locator("#recipe").text_content() == recipe
    studio.goto(f"{address}/")
    studio.goto(f"{address}/studio#nothing")
    studio.locator("#toast", has_text="no such picture").wait_for()


def test_a_picture_is_made_again_and_varied(studio, address):
    [own] = drawn(studio, seed=11, cfg=2)
    studio.fill("#prompt", "something else")
    studio.fill("#set-seed", "99")
    studio.locator(".tile .open").first.click()
    studio.click("#opened-again")
    studio.locator(".tile").nth(1).wait_for()
    finished(studio)
    [again, same] = ids(studio)
    assert same == own != again
    assert np.array_equal(pixels(address, again), pixels(address, own))
    studio.locator(".tile .open").first.click()
    studio.click("#opened-vary")
    studio.locator(".tile").nth(5).wait_for()
    varied = [told(address, f"pictures/{each}") for each in ids(studio)[:4]]
    assert {each["kind"] for each in varied} == {"edit"}
    assert {each["settings"]["strength"] for each in varied} == {0.5}
    assert not np.array_equal(pixels(address, varied[0]["id"]), pixels(address, own))


def test_two_are_compared(studio):
    one = drawn(studio, seed=1)[0]
    other = drawn(studio, seed=2, cfg=2.5)[0]
    studio.locator(f"[data-id='{one}'] .open").focus()
    studio.keyboard.press("c")
    studio.locator(".tile.compared").wait_for()
    studio.locator(f"[data-id='{other}'] .open").click()
    studio.locator("#settings-of-both caption", has_text="2 settings differ").wait_for()
    rows = {
        row.locator("th").inner_text(): row.locator("td").all_inner_texts()
        for row in studio.locator("#settings-of-both .differs").all()
    }
    assert rows["≠ seed"] == ["1", "2"]
    assert rows["≠ cfg"][1] == "2.5"
    shot = studio.locator("#against").screenshot()
    studio.click("#wipe")
    studio.fill("#edge", "100")
    left = studio.locator("#against").screenshot()
    studio.fill("#edge", "0")
    assert len({shot, left, studio.locator("#against").screenshot()}) == 3
    studio.click("#comparing-close")
    assert studio.locator(".tile.compared").count() == 0


def test_another_tools_settings_are_read(studio, tmp_path):
    chunks = PngInfo()
    chunks.add_text("parameters", A1111)
    Image.new("RGB", (64, 64)).save(tmp_path / "theirs.png", pnginfo=chunks)
    studio.set_input_files("#read", tmp_path / "theirs.png")
    studio.locator("#notes", has_text="A1111").wait_for()
    values = {name: studio.input_value(f"#{name}") for name in ("prompt", "negative")}
    assert values == {"prompt": "a castle, oil painting", "negative": "fog"}
    names = ("steps", "cfg", "seed", "sampler", "spacing")
    assert [studio.input_value(f"#set-{name}") for name in names] == [
        *("3", "2.5", str(2**64 - 1), "euler_ancestral", "karras")
    ]
    assert "Hires upscale" in studio.inner_text("#notes")
    Image.new("RGB", (64, 64)).save(tmp_path / "mute.png")
    data = list((tmp_path / "mute.png").read_bytes())
    studio.evaluate(
        """data => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(data)], "mute.png", {type: "image/png"}));
            const having = {dataTransfer: carried, bubbles: true, cancelable: true};
            document.body.dispatchEvent(new DragEvent("dragover", having));
            document.body.dispatchEvent(new DragEvent("drop", having));
        }""",
        data,
    )
    studio.locator("#notes", has_text="A1111").wait_for(state="detached")
    assert "this picture" in studio.inner_text("#notes")
    studio.click("#begin-with")
    studio.locator("#brush canvas").wait_for()


def test_a_grid_is_each_of_its_drawings(studio, address, pipe):
    studio.fill("#set-seed", "5")
    studio.click("#tab-grid")
    studio.fill("#along-x", "1-3 (+2)")
    studio.select_option("#axis-y", "words")
    studio.fill("#along-y", "fox, owl, red cat")
    assert studio.inner_text("#cells") == "2 × 3: 6 pictures"
    studio.click("#fill")
    studio.locator("#cells", has_text="Done").wait_for()
    cells = studio.locator("#sheet tbody td .open")
    assert cells.count() == 6
    assert studio.locator("#sheet thead th").all_inner_texts() == [
        *("Guidance scale 1", "Guidance scale 3")
    ]
    cells.nth(5).click()
    studio.locator("#opened-title", has_text="a red cat in the snow").wait_for()
    here = pipe.generate("a red cat in the snow", steps=2, cfg=3, seed=5).images[0]
    own = studio.url.partition("#")[2]
    assert np.array_equal(pixels(address, own), np.asarray(here))
    studio.keyboard.press("Escape")
    studio.click("#tab-gallery")
    [sheet] = ids(studio)
    assert told(address, f"pictures/{sheet}")["kind"] == "sheet"


def test_which_is_better_goes_by_keys(studio, address):
    studio.click("#tab-vote")
    studio.locator("#voted", has_text="Nothing to compare").wait_for()
    studio.click("#tab-gallery")
    own = drawn(studio, batch=3, seed=21)
    studio.click("#tab-vote")
    shown = studio.locator("#vote-left img")
    shown.wait_for()
    better = shown.get_attribute("src").split("/")[-2]
    studio.locator("#vote-left").focus()
    studio.keyboard.press("ArrowLeft")
    studio.locator("#voted", has_text="1 said").wait_for()
    with urlopen(f"{address}/api/studio/preferences.jsonl", timeout=60) as answer:
        said = json.loads(answer.read().splitlines()[-1])
    assert (said["prompt"], said["better"]["id"]) == (FOX, better)
    assert {said["better"]["id"], said["worse"]["id"]} < set(own)
    studio.click("#skip")
    assert studio.inner_text("#voted").endswith("1 said so far.")


def test_its_every_view_is_for_every_reader(bare, address, grave):
    page = bare

    def found(scheme: str = "light") -> list:
        page.emulate_media(color_scheme=scheme)
        return grave(page)

    page.goto(f"{address}/studio")
    page.locator("#set-steps").wait_for()
    page.fill("#prompt", FOX)
    drawn(page, steps=2, batch=2)
    page.click("#explain")
    page.click("#edit summary")
    for details in ("#further", "#edit", "#guides"):
        page.locator(details).evaluate("e => e.open = true")
    assert found() == found("dark") == []
    page.locator(".tile .open").first.click()
    page.locator("#opened-start").wait_for()
    assert found("dark") == []
    page.click("#opened-compare")
    page.locator(".tile .open").nth(1).click()
    page.click("#wipe")
    assert found() == []
    page.click("#comparing-close")
    page.click("#tab-grid")
    assert found() == []
    page.click("#tab-vote")
    page.locator("#vote-left").wait_for()
    assert found() == []
    page.locator("#set-steps").evaluate("e => e.removeAttribute('id')")
    assert "label" in [each[1] for each in found()]  # so it would be found


def test_nothing_sticks_out(studio):
    drawn(studio, batch=2)
    for width in (390, 1280, 1900):
        studio.set_viewport_size({"width": width, "height": 844})
        for view in ("#tab-grid", "#tab-vote", "#tab-gallery"):
            studio.click(view)
            assert studio.evaluate("document.documentElement.scrollWidth") == width
        studio.locator(".tile .open").first.click()
        studio.locator("#opened-title").wait_for()
        assert studio.locator("#opened").evaluate("e => e.scrollWidth - e.clientWidth") <= 0
        studio.keyboard.press("Escape")
