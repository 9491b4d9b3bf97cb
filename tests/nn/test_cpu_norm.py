import subprocess

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracles import distance
from torch import Tensor, nn

from mezzotint.nn import cpu_norm, native
from mezzotint.nn.cpu_norm import Kernel
from mezzotint.nn.norm import Norm, NormSiLU


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    """As it is compiled, whatever is quicker here."""
    if not native.has(native.AVX):
        pytest.skip("a CPU without bfloat16")
    path = tmp_path_factory.mktemp("kernel") / "normalisation.so"
    try:
        native.compile_to(path, native.source("normalisation"), native.AVX)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no compiler for this: {error}")
    return cpu_norm.loaded(path)


def maps(b: int, c: int, h: int, w: int, seed: int, mean: float = 0, spread: float = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(b, c, h, w, generator=generator) * spread + mean
    return x.bfloat16().contiguous(memory_format=torch.channels_last)


def vectors(c: int, seed: int) -> tuple[Tensor, Tensor]:
    weight, bias = torch.randn(2, c, generator=torch.Generator().manual_seed(seed)).bfloat16()
    return weight, bias


def exact(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool) -> Tensor:
    normal = F.group_norm(x.double(), groups, weight.double(), bias.double(), eps)
    return F.silu(normal) if silu else normal


# channels and groups: a register full, less, more, and one that ends within a register
widths = st.sampled_from(
    [(2, 1), (6, 3), (32, 4), (40, 4), (64, 32), (320, 32), (158, 1), (960, 32)]
)


@given(
    widths,
    st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 40)),
    st.integers(0, 9),
    st.sampled_from([(0, 1), (0, 1e-3), (3, 1), (-20, 1), (0, 300)]),
    st.booleans(),
)
@example((2, 1), (1, 1, 1), 0, (0, 1), True)
@example((40, 4), (2, 16, 17), 0, (0, 1), False)
@settings(deadline=None, max_examples=60)
def test_as_near_to_the_formula_as_torch(
    kernel: Kernel,
    width: tuple[int, int],
    size: tuple[int, int, int],
    seed: int,
    told: tuple[float, float],
    silu: bool,
) -> None:
    (c, groups), (b, h, w) = width, size
    x, (weight, bias) = maps(b, c, h, w, seed, *told), vectors(c, seed)
    expected = exact(x, groups, weight, bias, 1e-5, silu)
    ours = kernel(x, weight, bias, groups, 1e-5, silu)
    theirs = F.group_norm(x, groups, weight, bias, 1e-5)
    theirs = F.silu(theirs) if silu else theirs
    assert ours.shape == x.shape
    assert ours.stride() == x.stride()
    assert distance(ours, expected) <= 1.1 * distance(theirs, expected) + 1e-6
    assert (ours.double() - expected).abs().max() <= 2**-7 * expected.abs().max() + 1e-6


def test_a_wrong_formula_is_told_apart(kernel: Kernel) -> None:
    x, (weight, bias) = maps(2, 64, 9, 9, 0, mean=1), vectors(64, 0)
    ours = kernel(x, weight, bias, 8, 1e-5, True)
    near = distance(ours, exact(x, 8, weight, bias, 1e-5, True))
    for wrong in (
        exact(x, 16, weight, bias, 1e-5, True),
        exact(x, 8, weight, bias, 1e-1, True),
        exact(x, 8, weight, bias, 1e-5, False),
    ):
        assert distance(ours, wrong) > 4 * near


@pytest.mark.parametrize("value", [-3e38, -100.0, 0.0, 100.0, 3e38])
def test_any_size_of_number(kernel: Kernel, value: float) -> None:
    x, bias = maps(1, 64, 4, 4, 0), torch.full((64,), value).bfloat16()
    expected = exact(x, 8, torch.ones(64), bias, 1e-5, True)
    error = (kernel(x, torch.ones(64).bfloat16(), bias, 8, 1e-5, True).double() - expected).abs()
    assert (error <= 2**-7 * expected.abs() + 1e-30).all()


def test_what_is_no_number_stays_in_its_group(kernel: Kernel) -> None:
    x, (weight, bias) = maps(1, 32, 8, 8, 0), vectors(32, 0)
    x[0, 5, 3, 3] = torch.nan
    lost = kernel(x, weight, bias, 4, 1e-5, True).isnan()
    assert lost[:, :8].all()
    assert not lost[:, 8:].any()


def test_a_map_is_the_same_in_any_company_and_by_any_threads(kernel: Kernel) -> None:
    x, (weight, bias) = maps(3, 96, 40, 33, 0), vectors(96, 0)
    together = kernel(x, weight, bias, 8, 1e-5, True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if threads > 1 else 3)
    try:
        alone = kernel(x[1:2], weight, bias, 8, 1e-5, True)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(together[1:2], alone)


def test_nothing_beside_the_map_is_touched(kernel: Kernel) -> None:
    """What stands before and after maps and vectors in memory is NaN, and stays."""
    frame = torch.full((5, 40, 8, 8), torch.nan).bfloat16()
    frame = frame.contiguous(memory_format=torch.channels_last)
    x = frame[2:3].copy_(maps(1, 40, 8, 8, 0))
    around = torch.full((120,), torch.nan).bfloat16()
    weight = around[40:80].copy_(vectors(40, 0)[0])
    found = kernel(x, weight, weight, 4, 1e-5, False)
    assert distance(found, exact(x, 4, weight, weight, 1e-5, False)) < 0.02
    assert frame[1].isnan().all()
    assert frame[3].isnan().all()


class Probe:
    """A kernel that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(
        self, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, silu: bool
    ) -> Tensor:
        self.calls += 1
        normal = F.group_norm(x, groups, weight, bias, eps)
        return F.silu(normal) if silu else normal


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    probe = Probe()
    monkeypatch.setattr(cpu_norm, "kernel", lambda: probe)
    return probe


def test_asked_where_it_is_quicker(probe: Probe) -> None:
    x = maps(2, 64, 16, 16, 0)
    with torch.no_grad():
        for kind in (Norm, NormSiLU):
            network = kind(8, 64).bfloat16()
            network(x)
    network.requires_grad_(False)(x)
    assert probe.calls == 3


def test_left_alone_elsewhere(probe: Probe) -> None:
    x = maps(2, 64, 16, 16, 0)
    network = NormSiLU(8, 64).bfloat16()
    assert network(x).requires_grad
    network.requires_grad_(False)
    network(x.clone().requires_grad_())
    network(x.contiguous())
    network(x[:, :, :2, :2].contiguous(memory_format=torch.channels_last))
    network.float()(x.float())
    NormSiLU(64, 64).bfloat16().requires_grad_(False)(x)
    assert probe.calls == 0


@torch.no_grad()
def test_graphs_have_the_operation_of_torch(probe: Probe) -> None:
    network, x = nn.Sequential(NormSiLU(8, 64)).bfloat16().eval(), maps(1, 64, 16, 16, 0)
    assert "group_norm" in str(torch.export.export(network, (x,)).graph)
    assert "group_norm" in str(torch.jit.trace(network, x, check_trace=False).inlined_graph)
    assert probe.calls == 0


def test_the_kernel_is_the_one_that_networks_have() -> None:
    """Where there is one: that it is quicker is what it was kept for."""
    found = cpu_norm.kernel()
    if found is None:
        pytest.skip("PyTorch's own is all there is")
    x, network = maps(1, 64, 32, 32, 0), NormSiLU(8, 64).bfloat16().requires_grad_(False)
    expected = found(x, network.weight, network.bias, 8, network.eps, True)
    assert torch.equal(network(x), expected)
