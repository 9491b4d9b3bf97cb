"""Networks that multiply in int8: by the arithmetic that they say, where it is worth it."""

import warnings

import pytest
import torch
from compilers import compiler
from torch import Tensor, fx, nn

from mezzotint.engines import ENGINES, compiled_int8, laid
from mezzotint.engines.calls import taken, weights
from mezzotint.engines.compiled_int8 import has_int8
from mezzotint.engines.compiled_program import traced
from mezzotint.engines.laid import Slot
from mezzotint.errors import InputError

int8 = pytest.mark.skipif(not has_int8(), reason="the processor has no AVX-512 VNNI")


@pytest.fixture(autouse=True)
def _all_of_it(tmp_path, monkeypatch):
    """However small a product is, it is worth it; and a cache of its own."""
    monkeypatch.setattr(compiled_int8, "WORK", 0)
    monkeypatch.setattr(compiled_int8, "PRODUCTS", 0)
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path))
    torch.manual_seed(0)
    with torch.no_grad():
        yield


class Net(nn.Module):
    """A convolution on one that both go on and are read, and two products of the same tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(6, 32, 3, padding=1)
        self.second = nn.Conv2d(32, 48, 3, stride=2, padding=1, bias=False)
        self.grouped = nn.Conv2d(48, 48, 1, groups=2)
        self.query, self.key = nn.Linear(48, 40), nn.Linear(48, 40, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.grouped(self.second(self.first(x))).flatten(2).mT
        return self.query(tokens) * self.key(tokens)

    def decode(self, x: Tensor) -> Tensor:
        return self.first(x)


def executed(network: nn.Module, x: Tensor) -> Tensor:
    """What the traced network makes of it in int8."""
    graph, _, slots = traced(network, "forward", taken((x,), {}), int8=True)
    own = list(weights(network).values())
    values = [slot.lay(own[slot.weight])[slot.part] for slot in slots]
    (made,) = fx.Interpreter(graph).run(*values, x, enable_io_processing=False)
    return made


def rounded(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """The nearest of 255 numbers, evenly spaced from one extreme to the other, in float64."""
    step = x.double().abs().amax(dims, keepdim=True) / 127
    return (x.double() / step).round() * step


@int8
def test_a_product_is_one_of_rounded_numbers_and_nothing_else_is_lost():
    layer, x = nn.Linear(48, 40), torch.randn(3, 7, 48)
    wanted = rounded(x, (-1,)) @ rounded(layer.weight, (1,)).mT + layer.bias
    found = executed(layer, x).double()
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    assert (layer(x).double() - wanted).abs().max() > 1e-3  # the measure tells


@int8
@pytest.mark.parametrize("told", [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding": 2}])
def test_a_convolution_is_one_of_rounded_numbers_and_nothing_else_is_lost(told):
    layer, x = nn.Conv2d(6, 32, 3, **told), torch.randn(2, 6, 9, 11)
    kernel, maps = rounded(layer.weight, (1, 2, 3)), rounded(x, (1, 2, 3))
    wanted = torch.nn.functional.conv2d(maps, kernel, layer.bias.double(), **told)
    found = executed(layer, x).double()
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    assert (layer(x).double() - wanted).abs().max() > 1e-3


@int8
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_network_agrees_with_itself(dtype):
    network, x = Net().to(dtype).eval(), torch.randn(2, 6, 8, 8, dtype=dtype)
    wanted, found = network.float()(x.float()), executed(network.to(dtype), x)
    assert found.dtype == dtype
    assert off(found, wanted) < 0.03
    assert off(found.roll(1, 1), wanted) > 0.3


def off(found: Tensor, wanted: Tensor) -> float:
    """The distance as a share of what is wanted."""
    return float((found.float() - wanted).norm() / wanted.norm())


@int8
def test_a_picture_is_the_same_in_every_batch():
    network, loud = Net().eval(), torch.tensor([1.0, 9, 0.1]).view(3, 1, 1, 1)
    x = torch.randn(3, 6, 8, 8) * loud
    together = executed(network, x)
    for k in range(3):
        assert torch.equal(executed(network, x[k : k + 1]), together[k : k + 1])


@int8
def test_what_is_zero_stays_so():
    layer = nn.Linear(48, 40)
    assert torch.equal(executed(layer, torch.zeros(2, 48)), layer.bias.expand(2, -1))
    nn.init.zeros_(layer.weight)
    assert torch.equal(executed(layer, torch.randn(2, 48)), layer.bias.expand(2, -1))


@int8
def test_what_is_laid_out_elsewhere_gives_back_the_pages_of_its_file(monkeypatch):
    gone: list[Tensor] = []
    monkeypatch.setattr(laid, "let_go", gone.append)
    kernel, matrix = torch.randn(32, 6, 3, 3), torch.randn(40, 48)
    Slot(0).lay(kernel)
    Slot(0, "unread").lay(kernel)
    assert not gone
    Slot(0, "convolution", ([1, 1], [1, 1], [1, 1], 1), [1, 6, 8, 8]).lay(kernel)
    Slot(0, "convolution8", ([1, 1], [1, 1]), [1, 6, 8, 8]).lay(kernel)
    Slot(1, "linear8", (), [9, 48]).lay(matrix)
    assert [each.data_ptr() for each in gone] == [kernel.data_ptr()] * 2 + [matrix.data_ptr()]


def ways(network: nn.Module, x: Tensor) -> list[str]:
    slots = traced(network, "forward", taken((x,), {}), int8=True)[2]
    names = list(weights(network))
    laid = [slot for slot in slots if slot.way.endswith("8") and not slot.part]
    return sorted(f"{names[slot.weight]} {slot.way}" for slot in laid)


def test_what_is_read_twice_is_rounded_once_and_groups_are_left_alone():
    network, x = Net().eval(), torch.randn(1, 6, 8, 8)
    found = ["first.weight convolution8", "key.weight linear8", "query.weight linear8"]
    assert ways(network, x) == sorted([*found, "second.weight convolution8"])
    graph = traced(network, "forward", taken((x,), {}), int8=True)[0]
    assert sum(node.target is compiled_int8._per_token for node in graph.graph.nodes) == 1


class Shared(nn.Module):
    """One matrix that reads two things, and another that also goes elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.twice, self.tied = nn.Linear(48, 40), nn.Linear(48, 40)

    def forward(self, x: Tensor) -> Tensor:
        read = torch.cat([self.twice(part) for part in x.split(3)])
        return read + self.tied(x) + self.tied.weight.sum()


@int8
def test_a_weight_that_is_read_twice_is_laid_out_once_if_all_that_read_it_agree():
    network, x = Shared().eval(), torch.randn(6, 48)
    assert ways(network, x) == ["twice.weight linear8"]
    assert off(executed(network, x), network(x)) < 0.02


def test_what_is_not_worth_it_stays_as_it_is(monkeypatch):
    network, x = Net().eval(), torch.randn(1, 6, 8, 8)
    monkeypatch.setattr(compiled_int8, "PRODUCTS", 32 * 9)  # 48 * 9 / 4 is less
    assert ways(network, x) == ["first.weight convolution8"]
    monkeypatch.setattr(compiled_int8, "WORK", 32 * 6 * 9 * 64 + 1)
    assert ways(network, x) == []


@int8
@compiler
def test_compiled_it_agrees_is_told_apart_and_takes_weights_as_they_are():
    network, x = Net().bfloat16().eval(), torch.randn(2, 6, 8, 8, dtype=torch.bfloat16)
    with warnings.catch_warnings():
        warnings.filterwarnings("error")
        warnings.filterwarnings("ignore", "compiling")
        exact, engine = ENGINES["compiled"](), ENGINES["compiled-int8"]()
        apart = exact(network, x), engine(network, x)
        assert not torch.equal(*apart)  # neither takes the other's
        torch.testing.assert_close(apart[1], executed(network, x), rtol=0.02, atol=0.02)
        network.key.weight.mul_(2)
        assert off(engine(network, x), 2 * apart[1].float()) < 0.01
        assert torch.equal(exact(network.decode, x), engine(network.decode, x))


def test_a_processor_without_it_is_told(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    with pytest.raises(InputError, match=r"^engine 'compiled-int8' needs .* VNNI; use 'compiled'$"):
        ENGINES["compiled-int8"]()
