"""What a drawing attaches to its model, no other drawing between its turns sees."""

import gc
import weakref
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from steered import FOX, OWL

import mezzotint as mz
from mezzotint.adapters import maps
from mezzotint.adapters.base import Adapter
from mezzotint.lab.own import own, own_for
from mezzotint.pipeline.pipeline import Pipeline, Step

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))
HOW = {"seed": 3, "steps": 3}
LONG = {"seed": 3, "steps": 7}  # as many turns as any of these takes

WORD = "a zwx in the snow"

Draws = Callable[[Pipeline], Iterator[Step]]


@pytest.fixture(scope="module")
def pipe(steered_pipe: Pipeline) -> Pipeline:
    return steered_pipe


def prompted(prompt: str) -> Draws:
    return lambda pipe: pipe.stream(prompt, **HOW)


def plain(pipe: Pipeline) -> Iterator[Step]:
    return pipe.stream(OWL, **LONG)


def followed(adapter: Callable[[Path], Adapter]) -> Callable[[Path], Draws]:
    def made(folder: Path) -> Draws:
        def draw(pipe: Pipeline) -> Iterator[Step]:
            with pipe.attached(adapter(folder)):
                yield from pipe.stream(FOX, **HOW)

        return draw

    return made


BOXES = maps.layout([(0.1, 0.3, 0.5, 0.9)], 32)
ATTACHING: dict[str, Callable[[Path], Draws]] = {
    "a LoRA": lambda _: prompted(f"{FOX} <lora:oil:1>"),
    "a word": lambda _: lambda pipe: prompted(WORD)(own_for(pipe, WORD)),
    "a ControlNet": followed(lambda folder: mz.controlnet(f"{folder}#boxes", BOXES)),
    "a picture": followed(lambda folder: mz.ip_adapter(folder / "ip-content.safetensors", PICTURE)),
    "weights": followed(lambda folder: mz.lora(folder.parent / "Lora/oil.safetensors", fused=True)),
    "a source": lambda _: lambda pipe: pipe.stream_edit(PICTURE, OWL, source=FOX, **HOW),
}


def last(steps: Iterator[Step]) -> torch.Tensor:
    *_, step = steps
    return step.x


def in_turns(*drawings: Iterator[Step]) -> list[torch.Tensor]:
    """The last latents of each, a step of one and then of the next."""
    taken = list(zip_longest(*drawings))
    return [[step for step in each if step][-1].x for each in zip(*taken, strict=True)]


@pytest.mark.parametrize("what", ATTACHING)
def test_who_draws_in_between_draws_as_if_alone(pipe, folder, what):
    draw = ATTACHING[what](folder)
    alone = last(draw(own(pipe))), last(plain(pipe))
    here, there = in_turns(draw(own(pipe)), plain(pipe))
    assert torch.equal(here, alone[0])
    assert torch.equal(there, alone[1])
    assert not torch.equal(last(prompted(FOX)(pipe)), alone[0])  # which is not without effect


@pytest.mark.parametrize("what", [each for each in ATTACHING if each != "a word"])
def test_on_one_model_they_would_not(pipe, folder, what):
    alone = last(plain(pipe))
    try:
        found = in_turns(ATTACHING[what](folder)(pipe), plain(pipe))[1]
    except RuntimeError:  # attention is lent within batches of another size
        assert what == "a source"
    else:
        assert not torch.equal(found, alone)


def test_two_may_attach_the_same(pipe):
    draws = prompted(f"{FOX} <lora:oil:1>"), prompted(f"{OWL} <lora:oil:0.5>")
    alone = [last(draw(own(pipe))) for draw in draws]
    for found, expected in zip(in_turns(*(draw(own(pipe)) for draw in draws)), alone, strict=True):
        assert torch.equal(found, expected)


def test_weights_are_not_copied_and_modules_are(pipe):
    mine = own(pipe)
    for name in ("network", "text"):
        one, other = pipe.model.modules[name], mine.model.modules[name]
        assert not {*one.modules()} & {*other.modules()}
        ours, theirs = one.state_dict(), other.state_dict()
        assert ours.keys() == theirs.keys()
        assert all(ours[key].data_ptr() == theirs[key].data_ptr() for key in ours)
    assert mine.model.autoencoder is pipe.model.autoencoder


def test_a_model_of_ones_own_goes_with_its_drawing(pipe, folder):
    mine = own(pipe)
    gone = weakref.ref(mine.model.network)
    last(ATTACHING["a LoRA"](folder)(mine))
    del mine
    gc.collect()
    assert gone() is None


def test_only_what_attaches_something_has_a_model_of_its_own(pipe):
    assert own_for(pipe, FOX, "") is pipe
    for prompt in (f"{FOX} <lora:oil:1>", WORD):
        for found in (own_for(pipe, prompt), own_for(pipe, FOX, prompt)):
            assert found.model.encoders[0].network is not pipe.model.encoders[0].network
            assert (found.model.network is pipe.model.network) == ("<" not in prompt)
