"""Savings on a pipeline: what is drawn with them, without them, and after them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from oracles import randomised
from PIL import Image
from torch import Tensor, nn

from mezzotint.adapters import lora as loras
from mezzotint.adapters.base import Adapter, Injected, Run
from mezzotint.adapters.deltas import LoRA
from mezzotint.adapters.savings import SAVINGS, deepcache, first_block, token_merging
from mezzotint.engines.base import hooked
from mezzotint.families.base import Part
from mezzotint.models.dit import DiT, DiTParams
from mezzotint.models.tiny_autoencoder import TinyAutoencoder, TinyAutoencoderParams
from mezzotint.nn.attention import Attending
from mezzotint.pipeline.pipeline import Pipeline

PROMPT, STEPS = "a fox in the snow", 4
LONG = "a red apple on a blue background at night " * 2  # more windows than PROMPT has
LAYERS = {
    "deepcache": ("conv_in.weight", "mid.0.residual.conv_in.weight"),
    "first_block": ("blocks.0.attend_self.query.weight", "blocks.3.feed.out.weight"),
    "token_merging": ("down.0.blocks.0.attention.blocks.0.attend_self.query.weight",),
}


@dataclass(frozen=True)
class Case:
    """A saving by its name, in grades from exact to as much as there is, and one between."""

    name: str
    make: Callable[[float], Adapter]
    grades: Sequence[float]
    between: float

    @property
    def exact(self) -> Adapter:
        return self.make(self.grades[0])

    @property
    def some(self) -> Adapter:
        return self.make(self.between)


CASES = [
    Case("deepcache", deepcache, (1, 2, 4, 8), 3),
    Case("first_block", first_block, (0.0, 0.1, 0.15, 0.3), 0.3),
    Case("token_merging", token_merging, (0.0, 0.1, 0.4, 0.75), 0.4),
]
remembering = pytest.mark.parametrize("case", CASES[:2], indirect=True, ids=lambda case: case.name)


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="session")
def flow(tiny_model) -> Pipeline:
    network = DiT(DiTParams(4, 2, 32, 4, 2, 48, 32, 32))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for weight in network.parameters():
            nn.init.normal_(weight, std=0.12)
    return Pipeline(replace(tiny_model, network=network.eval()), "flow")


@pytest.fixture
def pipe(case: Case, tiny: Pipeline, flow: Pipeline) -> Pipeline:
    return flow if case.name == "first_block" else tiny


def latents(pipe: Pipeline, *adapters: Adapter, **options: Any) -> Tensor:
    with pipe.attached(*adapters):
        return pipe.generate(PROMPT, **{"steps": STEPS, "seed": 1, **options}).latents


@contextmanager
def counted(modules: Sequence[nn.Module]) -> Iterator[list[int]]:
    """How often each module is computed itself; all have an attention."""
    counts = [0] * len(modules)
    handles = []
    for k, module in enumerate(modules):
        inside = next(each for each in module.modules() if isinstance(each, Attending))

        def count(*_: object, k: int = k) -> None:
            counts[k] += 1

        handles.append(inside.register_forward_hook(count))
    yield counts
    for handle in handles:
        handle.remove()


@dataclass(frozen=True)
class Layers:
    """A LoRA of some layers of the network; an ``Adapter``."""

    names: Sequence[str]

    def inject(self, parts: Mapping[str, Part]) -> Injected:
        changes = {}
        for name in self.names:
            weight = parts["network"].module.get_parameter(name)
            generator = torch.Generator().manual_seed(len(name))
            up = torch.randn(len(weight), 2, generator=generator) / 4
            down = torch.randn(2, *weight.shape[1:], generator=generator) / 4
            changes[name] = LoRA(up, down)
        return loras.inject({"network": changes}, parts, "layers", 1.0, {}, False, None)


def test_every_saving_has_a_case() -> None:
    assert {case.name: case.make for case in CASES} == SAVINGS


@pytest.mark.parametrize("options", [{}, {"cfg": 1.0}, {"sampler": "heun"}, {"negative": LONG}])
def test_at_none_it_is_the_exact_picture(case: Case, pipe: Pipeline, options: dict) -> None:
    exact = latents(pipe, **options)
    assert torch.equal(latents(pipe, case.exact, **options), exact)
    assert not torch.equal(latents(pipe, case.some, **options), exact)


def test_what_is_ejected_leaves_no_trace(case: Case, pipe: Pipeline) -> None:
    network = pipe.model.network
    before, weights = latents(pipe), {k: v.clone() for k, v in network.state_dict().items()}
    kept = [set(vars(each)) for each in network.modules()]
    with pipe.attached(case.some):
        assert hooked(network)  # so that no engine takes a graph for it
        latents(pipe)
        assert network.state_dict().keys() == weights.keys()
    assert not hooked(network)
    assert [set(vars(each)) for each in network.modules()] == kept
    assert all(torch.equal(now, weights[name]) for name, now in network.state_dict().items())
    assert torch.equal(latents(pipe), before)


def test_beside_a_lora_in_both_orders(case: Case, pipe: Pipeline) -> None:
    style = Layers(LAYERS[case.name])
    before, styled, saved = latents(pipe), latents(pipe, style), latents(pipe, case.some)
    both = latents(pipe, style, case.some)
    assert torch.equal(latents(pipe, case.some, style), both)
    alike = [torch.equal(both, other) for other in (before, styled, saved)]
    assert alike == [False] * 3
    for one, other, left in ((style, case.some, saved), (case.some, style, styled)):
        first = one.inject(pipe.model.parts)
        with pipe.attached(other):
            first.eject()  # before what came after it
            assert torch.equal(latents(pipe), left)
    assert torch.equal(latents(pipe), before)


def test_savings_go_together_in_both_orders(tiny: Pipeline) -> None:
    one, other = deepcache(2), token_merging(0.5)
    both = latents(tiny, one, other)
    assert torch.equal(latents(tiny, other, one), both)
    assert not any(torch.equal(both, latents(tiny, *alone)) for alone in ([], [one], [other]))


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "heun"])
@remembering
def test_a_batch_is_the_pictures_made_alone(case: Case, pipe: Pipeline, sampler: str) -> None:
    batch = latents(pipe, case.some, batch=3, sampler=sampler)
    alone = [latents(pipe, case.some, seed=1 + k, sampler=sampler) for k in range(3)]
    assert torch.equal(batch, torch.cat(alone))


@remembering
def test_that_pictures_told_to_be_one_are_another(case: Case, pipe: Pipeline) -> None:
    only = Run()

    class Confused:
        def inject(self, parts: Mapping[str, Part]) -> Injected:
            injected = case.some.inject(parts)
            return replace(injected, run=lambda _: injected.run(only))

    assert not torch.equal(latents(pipe, Confused(), batch=3), latents(pipe, case.some, batch=3))


@remembering
def test_another_picture_begins_afresh(case: Case, pipe: Pipeline) -> None:
    sizes = [{}, {"width": 16, "cfg": 1.0}, {"negative": LONG}]
    fresh = [latents(pipe, case.some, **options) for options in sizes]
    with pipe.attached(case.some):
        left = [pipe.stream(PROMPT, steps=STEPS, seed=5, **options) for options in sizes[:2]]
        for stream in left:  # begun, and left as it is
            next(stream)
        for options, one in zip(sizes, fresh, strict=True):
            assert torch.equal(latents(pipe, **options), one)
        for stream, options in zip(left, sizes, strict=False):
            *_, last = stream
            assert torch.equal(last.x, latents(pipe, **{**options, "seed": 5}))


@remembering
def test_edits_begin_afresh_as_well(case: Case, pipe: Pipeline) -> None:
    picture = Image.effect_noise((32, 32), 80).convert("RGB")
    edits = [
        {"source": "a red apple", "steps": 3},
        {"strength": 0.7, "passes": 2, "steps": 4},
        {"expand": 0.25, "passes": 1, "steps": 2},
    ]

    def edit(options: dict[str, Any]) -> Tensor:
        return pipe.edit(picture, PROMPT, seed=2, **options).latents

    fresh = []
    for options in edits:
        with pipe.attached(case.some):
            fresh.append(edit(options))
    with pipe.attached(case.some):
        for options, one in zip(edits, fresh, strict=True):
            latents(pipe, steps=2)
            left = pipe.stream(PROMPT, steps=2)
            assert next(left)  # begun, and left as it is
            assert torch.equal(edit(options), one)


@pytest.mark.parametrize(("sampler", "calls"), [("dpmpp_2m", 10), ("heun", 19)])
@pytest.mark.parametrize(("every", "whole"), [(2, 5), (3, 4), (10, 1)])
def test_deepcache_computes_what_it_says(
    tiny: Pipeline, sampler: str, calls: int, every: int, whole: int
) -> None:
    network = tiny.model.network
    finest = network.up[-1].blocks[-1]
    with counted([network.mid[0], network.down[1], finest]) as counts:
        latents(tiny, deepcache(every), steps=10, sampler=sampler)
    if sampler == "heun":  # a step is the times it asks at: the first once, all others twice
        whole = 2 * whole - 1
    assert counts == [whole, whole, calls]


def test_first_block_computes_what_it_says(flow: Pipeline) -> None:
    spent = []
    for threshold in CASES[1].grades:
        with counted(flow.model.network.blocks) as counts:
            latents(flow, first_block(threshold), steps=10)
        assert counts[0] == 10
        assert len(set(counts[1:])) == 1
        spent.append(counts[1])
    assert (spent[0], spent[-1]) == (10, 1)
    assert sorted({*spent}, reverse=True) == spent


def test_the_more_is_saved_the_further_it_is_from_exact(case: Case, pipe: Pipeline) -> None:
    exact = latents(pipe, steps=10)
    errors = [
        float((latents(pipe, case.make(grade), steps=10) - exact).square().mean())
        for grade in case.grades
    ]
    assert errors[0] == 0
    assert errors == sorted(errors)
    assert len(set(errors)) == len(errors)
    assert errors[1] < float(exact.var())  # it is the same picture yet


def test_a_tiny_decoder_previews_and_draws(tiny: Pipeline) -> None:
    params = TinyAutoencoderParams(image_channels=3, latent_channels=4, width=8, blocks=(1, 1, 1))
    decoder = randomised(TinyAutoencoder(params))
    pipe = replace(tiny, model=replace(tiny.model, autoencoder=decoder))
    steps = list(pipe.stream(PROMPT, steps=2, seed=1))
    previews = [step.preview()[0] for step in steps]
    assert {each.size for each in previews} == {(32, 32)}
    assert len({each.tobytes() for each in previews}) == 2
    assert torch.equal(steps[-1].x, latents(tiny, steps=2))  # the drawing itself is the same
