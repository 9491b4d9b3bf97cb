"""What answers in a module's place, what engines execute then, and what is left after it."""

import warnings
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
import torch
from oracles import randomised
from torch import Tensor, fx, nn

from mezzotint.adapters.base import Run
from mezzotint.adapters.savings import deepcache
from mezzotint.engines import ENGINES, compiled
from mezzotint.engines.around import around, engine_at, outside
from mezzotint.engines.base import eager, hooked
from mezzotint.engines.calls import computes
from mezzotint.engines.compiled_program import traced
from mezzotint.families.base import Part
from mezzotint.models.unet import UNet, UNetParams

# little to compile, and still something that DeepCache can leave out
TWO_LEVELS = UNetParams(
    channels_in=4,
    channels_out=4,
    channels=(16, 16),
    blocks=1,
    depths=(1, 0),
    mid_depth=0,
    heads=(2, 2),
    context_width=8,
    y_width=0,
    groups=2,
    guided=False,
)


def plus(number: float):
    return lambda forward, x: forward(x) + number


def times(number: float):
    return lambda forward, x: number * forward(x)


def test_the_latest_is_outermost_and_hooks_see_it() -> None:
    module, seen = nn.Identity(), []
    module.register_forward_hook(lambda _, inputs, output: seen.append((*inputs, output)))
    around(module, plus(1))
    around(module, times(10))
    assert module(2) == 30
    assert seen == [(2, 30)]


@pytest.mark.parametrize("order", permutations(range(3)))
def test_ends_come_in_any_order_and_twice(order: tuple[int, ...]) -> None:
    module = nn.Linear(3, 3)
    before, names = dict(vars(module)), list(module.state_dict())
    x = torch.randn(2, 3)
    plain = module(x)
    ends = [around(module, plus(number)) for number in (1.0, 10.0, 100.0)]
    left = 111.0
    for k in order:
        torch.testing.assert_close(module(x), plain + left)
        assert hooked(module)
        assert list(module.state_dict()) == names
        ends[k]()
        ends[k]()
        left -= 10.0**k
    assert torch.equal(module(x), plain)
    assert not hooked(module)
    assert vars(module).keys() == before.keys()


class Spy:
    """An engine that notes the names of what it executes, and whether hooks work in it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []

    def __call__(self, run: Callable[..., Any], /, *inputs: Any, **named: Any) -> Any:
        self.seen.append((getattr(run, "__name__", "whole"), hooked(run)))
        return run(*inputs, **named)


def test_hooks_on_the_whole_are_around_what_the_engine_executes() -> None:
    module, spy, x = nn.Sequential(nn.Linear(3, 3)), Spy(), torch.randn(2, 3)
    plain = module(2 * x)
    module.register_forward_pre_hook(lambda _, inputs: (2 * inputs[0],))
    before = vars(module).keys()
    end = around(module, plus(1))
    assert torch.equal(outside(spy)(module, x), plain + 1)
    assert torch.equal(module(x), plain + 1)  # as by those who have no engine
    end()
    assert torch.equal(outside(spy)(module, x), plain)
    assert spy.seen == [("forward", False)] * 2
    assert vars(module).keys() == before


def test_hooks_within_are_seen_by_the_engine() -> None:
    module, spy, x = nn.Sequential(nn.Linear(3, 3)), Spy(), torch.randn(2, 3)
    outside(spy)(module, x)
    module[0].register_forward_hook(lambda *_: None)
    outside(spy)(module, x)
    outside(spy)(module[0].forward, x)  # a method goes through as it is
    assert spy.seen == [("forward", False), ("forward", True), ("forward", False)]


def test_who_answers_can_have_something_computed_while_the_network_runs() -> None:
    module, other, spy = nn.Linear(3, 3), nn.Linear(3, 3), Spy()
    end = around(module, lambda forward, x: engine_at(module)(other, x) + forward(x))
    x = torch.randn(2, 3)
    found = outside(spy)(module, x)
    assert [name for name, _ in spy.seen] == ["whole", "forward"]
    end()
    torch.testing.assert_close(found, module(x) + other(x))
    assert engine_at(module) is eager


def test_an_answer_that_fails_leaves_nothing() -> None:
    module = nn.Linear(3, 3)

    def fails(*_: Any) -> Tensor:
        raise ValueError("no")

    end = around(module, fails)
    with pytest.raises(ValueError, match="no"):
        outside(Spy())(module, torch.randn(2, 3))
    assert engine_at(module) is eager
    end()
    assert not hooked(module)


def test_what_a_network_computes_is_the_same_with_something_around_it() -> None:
    module = nn.Linear(3, 3)
    before = computes(module)
    around(module, plus(1))
    assert computes(module) == before


class Interpreted:
    """A network as it would be compiled, without what takes long: the compiler."""

    def __init__(self, *call: Any) -> None:
        self.graph, _, self.slots = traced(*call)

    def __call__(self, values: list[Tensor], tensors: list[Tensor]) -> Any:
        run = fx.Interpreter(self.graph).run
        made = run(*values, *tensors, enable_io_processing=False)
        return made[0] if len(made) == 1 else made


@pytest.mark.parametrize("engine", ["openvino", "compiled"])
def test_graphs_and_compiled_code_are_of_the_network_and_deepcache_is_around(
    monkeypatch: pytest.MonkeyPatch, tmp_path, engine: str
) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path))
    programs: dict[bytes, Interpreted] = {}

    def interpreted(*call: Any) -> bytes:
        name = b"program %d" % len(programs)
        programs[name] = Interpreted(*call)
        return name

    monkeypatch.setattr(compiled, "compiled_package", interpreted)
    monkeypatch.setattr(compiled, "Program", programs.__getitem__)
    unet = randomised(UNet(TWO_LEVELS)).requires_grad_(False).eval()
    t, context = torch.tensor([500.0, 500.0]), torch.randn(2, 5, 8)
    pictures = [torch.randn(2, 4, 8, 12) for _ in range(3)]
    made: list[list[Tensor]] = []
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.filterwarnings("ignore", message="compiling")
        for executes in (outside(eager), outside(ENGINES[engine]())):
            injected, run = deepcache(2, 1).inject({"network": Part(unet, ())}), Run()
            made.append([])
            for k, x in enumerate(pictures):
                injected.run(run)
                injected.at(k / 4)
                made[-1].append(executes(unet, x, t, context))
            injected.eject()
        plain = [unet(x, t, context) for x in pictures]
    for one, other in zip(*made, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert len(programs) == (2 if engine == "compiled" else 0)  # the whole, and what is shallow
    assert not torch.allclose(made[1][1], plain[1], rtol=1e-3, atol=1e-3)  # it was shallow
    torch.testing.assert_close(made[1][2], plain[2], rtol=1e-4, atol=1e-4)
