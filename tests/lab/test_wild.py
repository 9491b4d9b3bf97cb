"""Models of the wild: the page's table is the package's own families and sizes, counted."""

import json
import re
from dataclasses import replace

import pytest
import torch

from mezzotint.diffusion import flux_shift, times
from mezzotint.errors import InputError
from mezzotint.families import flux, recognise, sd3
from mezzotint.families import stable_diffusion as sd
from mezzotint.lab.lessons.calls import default_calls
from mezzotint.lab.lessons.wild import HERE
from mezzotint.lab.lessons.wild.facts import attending, beside, here, prompt_tokens, row, size_of
from mezzotint.lab.lessons.wild.known import CLOSED, KNOWN
from mezzotint.pipeline.pipeline import Pipeline

# millions of weights, as the publications and model cards say
PUBLISHED = {"sd1": 860, "sd2": 865, "sdxl": 2567, "sd3": 2028, "flux-dev": 11901}


def events(text: str) -> list[tuple[str, dict]]:
    found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)
    return [(name, json.loads(told)) for name, told in found]


@pytest.mark.parametrize(("slug", "millions"), PUBLISHED.items())
def test_weights_are_counted_as_published(slug, millions):
    assert size_of(KNOWN[slug].network) / 1e6 == pytest.approx(millions, rel=0.002)


@pytest.mark.parametrize("slug", KNOWN)
def test_sizes_and_families_belong_together(slug):
    """The package would tell these networks to be of this very family."""
    known = KNOWN[slug]
    texts = [params for _, params in known.texts]
    assert recognise.family_of(known.network, texts).name == known.family.name
    assert len(known.family.reads) == len(texts)


def test_what_is_said_of_all_holds():
    assert {known.autoencoder.factor for known in KNOWN.values()} == {8}
    largest = max(size_of(params) for _, params in KNOWN["sd3"].texts)
    assert largest > size_of(KNOWN["sd3"].network)
    assert all(known.licence and known.source and known.after for known in KNOWN.values())
    assert {"DALL·E 3", "Midjourney"} == {each.title for each in CLOSED}


def test_a_network_is_counted_as_it_is_built(tiny):
    known = here(tiny)
    built = sum(weight.numel() for weight in tiny.model.network.parameters())
    assert size_of(known.network) == built
    assert row(known)["texts"][0]["weights"] == sum(
        weight.numel() for weight in tiny.model.encoders[0].network.parameters()
    )


@pytest.mark.parametrize(
    ("slug", "side", "tokens"),
    [
        ("sd1", 64, [64**2, 32**2, 16**2, 8**2]),
        ("sdxl", 128, [64**2, 32**2]),
        ("sd3", 128, [64**2]),
        ("flux-dev", 128, [64**2]),
    ],
)
def test_tokens_that_attend(slug, side, tokens):
    assert attending(KNOWN[slug].network, side) == tokens


def test_tokens_that_attend_are_what_a_network_attends_to(tiny):
    """Counted again while the tiny U-Net runs."""
    seen = set()

    def heard(_module, args, _out) -> None:
        seen.add(args[0].shape[1])

    attends = [
        module
        for name, module in tiny.model.network.named_modules()
        if name.endswith("attend_self")
    ]
    assert attends
    handles = [module.register_forward_hook(heard) for module in attends]
    told = tiny.model.encode_prompts(["a fox"])
    with torch.no_grad():
        tiny.model.network_for(told)(torch.zeros(1, 4, 16, 16), torch.tensor(0.5))
    for handle in handles:
        handle.remove()
    assert seen == set(attending(here(tiny).network, 16))


@pytest.mark.parametrize(
    ("slug", "tokens"), [("sd1", 77), ("sdxl", 77), ("sd3", 333), ("flux-dev", 512)]
)
def test_tokens_of_the_prompt(slug, tokens):
    assert prompt_tokens(KNOWN[slug]) == tokens


def test_tokens_of_the_prompt_are_what_the_model_is_told(tiny):
    assert prompt_tokens(here(tiny)) == tiny.model.encode_prompts(["a fox"]).context.shape[1]


def test_levels_and_steps_are_the_familys():
    told = beside(KNOWN["sd1"], 512)
    process = sd.SD1.process
    at = torch.tensor([99.0, 999.0], dtype=torch.float64)  # a tenth of the time, and all of it
    bars = [told["curve"]["alpha_bar"][9], told["curve"]["alpha_bar"][-1]]
    assert bars == pytest.approx(process.alpha_bar(at).tolist())
    assert len(told["steps"]["share"]) == sd.SD1.steps
    dev = beside(KNOWN["flux-dev"], 1024)
    assert dev["shift"] == pytest.approx(flux_shift(4096))
    path = times(flux.FLUX_DEV.process, 28, "flow_shift", shift=dev["shift"])[:-1]
    assert dev["steps"]["share"] == pytest.approx(path.tolist())
    assert dev["steps"]["share"] != pytest.approx(
        times(flux.FLUX_DEV.process, 28, "flow_shift", shift=1.0)[:-1].tolist(), abs=0.01
    )
    assert beside(KNOWN["sd3"], 512)["shift"] == beside(KNOWN["sd3"], 1024)["shift"] == sd3.SHIFT


def test_arithmetic_of_a_picture():
    told = beside(KNOWN["sd1"], 512)
    assert (told["pixels"], told["latents"]) == (512 * 512 * 3, 64 * 64 * 4)
    assert (told["calls"], beside(KNOWN["flux-dev"], 512)["calls"]) == (2 * 51, 28)
    with pytest.raises(InputError, match="4096"):
        beside(KNOWN["sd1"], 8192)


@pytest.mark.parametrize(
    ("sampler", "cfg", "once"), [("pndm", 4.0, 6), ("pndm", 1.0, 6), ("ddim", 4.0, 5)]
)
def test_calls_are_those_that_a_drawing_makes(tiny, sampler: str, cfg: float, once: int):
    family = replace(tiny.model.family, sampler=sampler, cfg=cfg, steps=5)
    pipe = Pipeline(replace(tiny.model, family=family), "another")
    asked = 0

    def count(_, args) -> None:
        nonlocal asked
        asked += len(args[0])  # guidance asks for both in a batch

    handle = pipe.model.network.register_forward_pre_hook(count)
    try:
        pipe.generate("a fox", seed=0)
    finally:
        handle.remove()
    assert default_calls(family) == asked == once * (1 if cfg == 1 else 2)


def test_the_server_tells_what_the_functions_do(client, tiny):
    table = client.get("/api/wild").json()
    assert table["known"] == {slug: row(known) for slug, known in KNOWN.items()}
    ((_, own),) = events(client.get("/api/wild/here").text)
    assert own == row(here(tiny))
    asked = {"one": HERE, "other": "sdxl", "size": 64}
    (_, one), (_, other), (done, _) = events(client.get("/api/wild/beside", params=asked).text)
    assert (one["title"], other["title"], done) == (
        "tiny, loaded here",
        KNOWN["sdxl"].title,
        "done",
    )
    assert one["curve"] == beside(here(tiny), 64)["curve"]


def test_what_cannot_be_is_said(client):
    asked = {"one": HERE, "other": "sd9", "size": 1024}
    (_, one), (name, said) = events(client.get("/api/wild/beside", params=asked).text)
    assert "curve" not in one
    assert "16 to 64 pixels" in one["why"]
    assert (name, "sd9" in said["why"]) == ("refused", True)


def test_the_page_compares(page, address):
    page.goto(f"{address}/lessons/wild")
    page.locator("#plot[data-asked='sd1,flux-dev,1024']").wait_for()
    cells = lambda: [  # noqa: E731
        line.locator("td").all_inner_texts() for line in page.locator("#numbers tbody tr").all()
    ]
    one, other = beside(KNOWN["sd1"], 1024), beside(KNOWN["flux-dev"], 1024)
    assert cells()[0] == [f"{one['pixels']:,}", f"{other['pixels']:,}"]
    assert cells()[5] == [str(one["calls"]), str(other["calls"])]
    assert cells()[6] == ["none", f"{other['shift']:.2f}"]
    assert page.locator("#plot circle").count() == sd.SD1.steps
    assert page.locator("#plot rect").count() == flux.FLUX_DEV.steps
    assert page.locator("#known tbody tr").count() >= len(KNOWN)
    page.select_option("#other", "sd3")
    page.locator("#head-other", has_text="Stable Diffusion 3").wait_for()
    assert cells()[6][1] == "3.00"
    page.select_option("#one", HERE)
    page.locator("#said", has_text="16 to 64 pixels").wait_for()
    assert cells()[0][0] == "–"
    assert "mezzotint generate" in page.locator("#commands").inner_text()


def test_the_page_shows_either_measure(page, address):
    page.goto(f"{address}/lessons/wild")
    page.locator("#plot[data-asked]").wait_for()
    before = page.locator("#plot polyline").first.get_attribute("points")
    page.select_option("#show", "alpha_bar")
    after = page.locator("#plot polyline").first.get_attribute("points")
    assert after != before
    last = float(after.split()[-1].split(",")[1])  # 360 down is nothing left
    assert last == pytest.approx(
        360 * (1 - sd.SD1.process.alpha_bar(torch.tensor(999.0)).item()), abs=0.1
    )
