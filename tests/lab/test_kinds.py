"""Four kinds of generator: what is counted of them, and that each learns what it says it does."""

import json
import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.diffusion import denoiser, times
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.errors import InputError
from mezzotint.lab.lessons.kinds import measured
from mezzotint.lab.lessons.kinds.plane import DATA, NEAR, coverage, data, entropy, grid, ring
from mezzotint.lab.lessons.kinds.race import TURN, race, runners
from mezzotint.lab.lessons.kinds.toys import GAN, VAE, Diffusion, Flow, weights


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", DATA)
def test_data_have_unit_variance_and_reach_their_own_bumps(name):
    mixture = data(name)
    x = mixture.sample(20_000, generator())
    assert x.mean(0).tolist() == pytest.approx([0, 0], abs=0.04)
    assert x.var(0).tolist() == pytest.approx([1, 1], abs=0.04)
    reached = coverage(x, mixture)
    assert (reached.found, reached.bumps) == (len(mixture.means), len(mixture.means))
    assert reached.near == pytest.approx(1 - math.exp(-(NEAR**2) / 2), abs=0.005)


@given(lost=st.integers(0, 8), far=st.floats(0, 0.5))
def test_what_is_left_out_is_counted(lost, far):
    mixture = ring()
    kept = mixture.means[lost:].repeat_interleave(100, 0)
    away = torch.full((round(far * 1000), 2), 50.0)
    reached = coverage(torch.cat([kept, away, torch.full((1, 2), math.nan)]), mixture)
    assert reached.found == 8 - lost
    assert reached.near == pytest.approx(len(kept) / (len(kept) + len(away) + 1))


def test_entropy_is_that_of_bumps_that_lie_apart():
    # ln k + 1 + ln 2πs² of k Gaussians that do not meet
    for mixture in (ring(8, 0.05), grid(3, 0.05)):
        apart = math.log(len(mixture.means)) + 1 + math.log(2 * math.pi * 0.05**2)
        assert entropy(mixture) == pytest.approx(apart, abs=0.03)
    meeting = ring(8, 0.7)
    assert entropy(meeting) < math.log(8) + 1 + math.log(2 * math.pi * 0.7**2) - 0.1


def test_generators_are_of_one_size():
    sizes = [weights(each.toy.generator) for each in runners("paired", 1, 0)]
    assert max(sizes) < 1.1 * min(sizes)


def test_the_flow_can_be_undone_and_its_determinant_is_the_jacobians():
    flow = Flow()
    with torch.no_grad():
        for weight in flow.generator.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator(1)) * 0.2)

    z = torch.randn(5, 2, generator=generator(3))
    x = flow.sample(5, generator(3)).detach()  # the same noise

    def forth(point: torch.Tensor) -> torch.Tensor:
        for net in flow.generator:
            kept, moved = point[:1], point[1:]
            shift, log_scale = flow._moments(net, kept[None])
            point = torch.cat([(moved - shift[0]) * (-log_scale[0]).exp(), kept])
        return point

    nats = []
    for point, noise in zip(x, z, strict=True):
        assert forth(point).tolist() == pytest.approx(noise.tolist(), abs=1e-4)
        det = torch.linalg.det(torch.autograd.functional.jacobian(forth, point)).abs()
        nats.append(noise.square().sum() / 2 + math.log(2 * math.pi) - det.log())
    assert flow.loss("flow", x, generator()).item() == pytest.approx(
        torch.stack(nats).mean().item(), abs=1e-3
    )


def test_the_vaes_loss_is_a_bound():
    """Above −ln p(x), worked out by drawing many z: p(x) = E N(x; μ(z), s²)."""
    vae = VAE()
    with torch.no_grad():
        vae.log_s.zero_()
    x = torch.tensor([[0.3, -0.2]])
    with torch.no_grad():
        means = vae.generator(torch.randn(50_000, 2, generator=generator()))
        logs = -(x - means).square().sum(1) / 2 - math.log(2 * math.pi)
        exact = -(logs.logsumexp(0) - math.log(len(means))).item()
        bound = vae.loss("vae", x.expand(50_000, 2), generator()).item()
    assert exact < bound < exact + 1


def test_the_gans_game_is_of_pairs_and_held_flat():
    gan, first = GAN("paired"), GAN("2014")
    x = ring().sample(64, generator())
    with torch.no_grad():
        for each in (gan, first):
            for weight in each.critic[-1].parameters():
                weight.zero_()  # a critic that knows nothing
    assert gan.loss("critic", x, generator()).item() == pytest.approx(math.log(2))
    assert first.loss("critic", x, generator()).item() == pytest.approx(2 * math.log(2))
    steep = GAN("paired")
    held = steep.loss("critic", x, generator())
    steep.gamma = 0.0
    assert held > steep.loss("critic", x, generator())


def test_diffusion_draws_by_the_packages_own_sampler():
    toy = Diffusion(calls=5)
    asked = []
    toy.generator.register_forward_hook(lambda *_: asked.append(1))
    with torch.no_grad():
        points = toy.sample(7, generator())
    assert (len(asked), points.shape) == (5, (7, 2))
    path = times(toy.process, 5, "karras")
    denoise = denoiser(toy._network, toy.process, "v")
    noise = torch.randn(7, 2, generator=generator()) * toy.process.sigma(path[0]).float()
    with torch.no_grad():
        for name, same in (("dpmpp_2m", True), ("ddim", False)):
            *_, last = SAMPLERS[name](denoise, noise, path, toy.process, torch.zeros_like)
            assert torch.equal(last.x, points) == same


@pytest.mark.parametrize("k", range(4), ids=["gan", "vae", "flow", "diffusion"])
def test_each_kind_learns(k):
    """After some turns the data cost less; a GAN's loss says nothing, so its points are asked."""
    mixture = ring(2, 0.3)
    runner = runners("paired", 4 * TURN, 0)[k]
    x = mixture.sample(2000, generator())

    def cost() -> float:
        if runner.name == "gan":
            return -coverage(runner.draw(1000), mixture).near
        with torch.no_grad():
            return runner.toy.loss(runner.name, x, generator()).item()

    before = cost()
    runner.train(mixture, 10**6)
    assert runner.done == 4 * TURN
    assert cost() < before - 0.05


def test_a_race_is_its_seeds():
    def points(seed):
        return [e.told["points"] for e in race("ring", "2014", 2, seed) if e.name == "at"]

    assert points(1) == points(1)
    assert points(1) != points(2)


def test_what_there_is_none_of_is_said():
    with pytest.raises(InputError, match="spiral"):
        next(iter(race("spiral", "paired", 1, 0)))
    with pytest.raises(InputError, match="chess"):
        next(iter(race("ring", "chess", 1, 0)))


def test_the_table_is_shown_where_it_exists(tmp_path):
    file = tmp_path / "taxonomy.json"
    assert measured.table(tmp_path / "none.json") is None
    told = {"made": "by a test", "columns": ["kind", "recall"], "rows": [["GAN", "0.1"]]}
    file.write_text(json.dumps(told))
    assert measured.table(file) == told


def test_a_race_is_told_as_it_goes(client):
    text = client.get("/api/kinds/race", params={"steps": 2, "data": "grid"}).text
    assert client.get("/api/kinds/race", params={"steps": 0}).status_code == 422
    names = re.findall(r"event: (\w+)", text)
    assert names == ["begin", *["at"] * 4, *["measured"] * 4, "done"]
    assert "NaN" not in text


def test_the_page_trains_and_measures(page, address):
    page.goto(f"{address}/lessons/kinds")
    page.fill("#steps", "20")
    page.select_option("#data", "grid")
    blank = page.locator("#gan").screenshot()
    page.click("#go")
    page.locator("#said", has_text="Done").wait_for()
    rows = [row.locator("td").all_inner_texts() for row in page.locator("#numbers tbody tr").all()]
    assert rows[0][0] == "25 of 25"
    assert float(rows[0][2]) == pytest.approx(entropy(grid()), abs=0.006)
    told = {each.name: each for each in runners("paired", 20, 0)}
    assert [row[3] for row in rows[1:]] == [f"{weights(t.toy.generator):,}" for t in told.values()]
    assert [row[6] for row in rows[1:]] == ["1", "1", "1", "20"]
    for each in told.values():  # the page's seed is 0 as well
        each.train(grid(), 20)
    near = [f"{100 * coverage(each.draw(4000), grid()).near:.1f} %" for each in told.values()]
    assert [row[1] for row in rows[1:]] == near
    assert page.locator("#gan").screenshot() != blank
    page.locator("#none" if measured.table() is None else "#taxonomy").wait_for()


def test_the_page_shows_what_was_measured_on_pictures(page, address, monkeypatch):
    rows = [["GAN", "0.1"], ["held-out pictures", ""]]
    told = {"made": "by a test", "columns": ["kind", "recall"], "rows": rows}
    monkeypatch.setattr("mezzotint.lab.lessons.kinds.table", lambda: told)
    page.goto(f"{address}/lessons/kinds")
    page.locator("#taxonomy").wait_for()
    shown = [row.locator("th, td").all_inner_texts() for row in page.locator("#taxonomy tr").all()]
    assert shown == [told["columns"], *rows]
    assert page.inner_text("#made") == "by a test"
    assert not page.is_visible("#none")


def test_the_page_stops(page, address):
    page.goto(f"{address}/lessons/kinds")
    page.fill("#steps", "4000")
    page.focus("#go")
    page.keyboard.press("Enter")
    page.locator("#said", has_text="Step").wait_for()
    page.click("#stop")
    assert page.inner_text("#said") == "Stopped, and not measured."
    assert page.is_enabled("#go")
