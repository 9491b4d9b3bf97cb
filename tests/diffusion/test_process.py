import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mixture import PROCESSES, double

from mezzotint.diffusion import Process
from mezzotint.diffusion.process import flux_shift, sd3_shift
from mezzotint.errors import InputError

NAMES = sorted(PROCESSES)
PRESERVING = ["linear", "scaled_linear", "zero_terminal", "cosine"]


def inside(process: Process, share: float) -> torch.Tensor:
    return double(process.t_clean + share * (process.t_noise - process.t_clean))[0]


@pytest.mark.parametrize("name", NAMES)
@given(share=st.floats(0, 1))
def test_time_of_inverts_the_ratio(name: str, share: float) -> None:
    process = PROCESSES[name]
    t = inside(process, share)
    back = process.time_of(process.sigma(t) / process.alpha(t))
    assert back.item() == pytest.approx(t.item(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
@given(a=st.floats(0, 1), b=st.floats(0, 1))
def test_noise_grows_with_time(name: str, a: float, b: float) -> None:
    process = PROCESSES[name]
    early, late = sorted((a, b))
    ratio = [
        process.sigma(t) / process.alpha(t) for t in (inside(process, early), inside(process, late))
    ]
    assert ratio[0] <= ratio[1]
    assert ratio[0] < ratio[1] or late - early < 1e-9


@pytest.mark.parametrize("name", PRESERVING)
@given(share=st.floats(0, 1))
def test_preserves_variance(name: str, share: float) -> None:
    process = PROCESSES[name]
    t = inside(process, share)
    total = process.alpha(t).square() + process.sigma(t).square()
    assert total.item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_ends(name: str) -> None:
    process = PROCESSES[name]
    clean, noisy = double(process.t_clean, process.t_noise)
    assert (process.alpha(clean).item(), process.sigma(clean).item()) == (1.0, 0.0)
    assert process.sigma(noisy) > process.alpha(noisy) * 10
    assert process.erases == (name in {"zero_terminal", "cosine", "flow", "shifted_flow"})


def test_nothing_is_left_at_zero_terminal_snr() -> None:
    t = double(999.0)
    for process in (Process.zero_terminal(), Process.flow()):
        end = double(process.t_noise)
        assert process.alpha(end).item() == 0.0
        assert process.snr(end).item() == 0.0
        assert process.lam(end).item() == -math.inf
    assert Process.scaled_linear().alpha(t).item() > 0.05


def test_a_table_is_the_product_of_its_betas() -> None:
    alpha_bar, process = 1.0, Process.linear()
    for k in range(1000):
        alpha_bar *= 1 - (1e-4 + (0.02 - 1e-4) * k / 999)
        if k % 97 == 0 or k == 999:
            t = double(float(k))
            assert process.alpha_bar(t).item() == pytest.approx(alpha_bar, rel=1e-11)


def test_between_steps_a_table_is_even_in_lambda() -> None:
    process = Process.scaled_linear()
    a, middle, b = process.lam(double(500.0, 500.5, 501.0))
    assert middle.item() == pytest.approx((a + b).item() / 2, rel=1e-12)


def test_cosine_ends_where_clipped_betas_end() -> None:
    def f(t: float) -> float:
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    process, alpha_bar = Process.cosine(), 1.0
    for k in range(1000):
        alpha_bar *= 1 - min(1 - f((k + 1) / 1000) / f(k / 1000), 0.999)
    end = double(process.t_noise)
    assert process.alpha_bar(end).item() == pytest.approx(alpha_bar, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_types_and_shapes(name: str) -> None:
    process = PROCESSES[name]
    for dtype in (torch.float32, torch.float64):
        t = torch.full((2, 3), process.t_noise, dtype=dtype)
        for of in (process.alpha, process.sigma, process.snr, process.lam, process.alpha_bar):
            assert (of(t).dtype, of(t).shape) == (dtype, t.shape)
        alpha, sigma = process.at(t)
        assert torch.equal(alpha, process.alpha(t))
        assert torch.equal(sigma, process.sigma(t))
    assert process.sigma(torch.tensor(1)).dtype == torch.get_default_dtype()
    t = inside(process, 0.3)
    assert process.sigma(t.float()).item() == pytest.approx(process.sigma(t).item(), rel=1e-5)


def test_each_sample_has_its_time() -> None:
    process, x0, eps = Process.flow(), torch.ones(3, 1, 2, 2), torch.full((3, 1, 2, 2), 5.0)
    x = process.diffuse(x0, eps, torch.tensor([0.0, 0.5, 1.0]))
    assert x[:, 0, 0, 0].tolist() == [1.0, 3.0, 5.0]
    assert torch.equal(process.diffuse(x0, eps, torch.tensor(0.5)), torch.full_like(x0, 3.0))


@given(shift=st.floats(0.1, 10), t=st.floats(0, 1))
def test_shift_multiplies_the_ratio(shift: float, t: float) -> None:
    time = double(t)
    plain, shifted = Process.flow(), Process.flow(shift)
    ratio = shift * plain.sigma(time) / plain.alpha(time)
    assert (shifted.sigma(time) / shifted.alpha(time)).item() == pytest.approx(
        ratio.item(), rel=1e-9
    )


def test_shifts_of_resolutions() -> None:
    assert (flux_shift(256), flux_shift(4096)) == (math.exp(0.5), math.exp(1.15))
    assert sd3_shift(4096, 1024) == 2.0


@pytest.mark.parametrize("shift", [0.0, -1.0, math.inf, math.nan])
def test_refuses_shifts(shift: float) -> None:
    with pytest.raises(InputError, match="flow shift"):
        Process.flow(shift)


@pytest.mark.parametrize("levels", [(80.0, 0.002), (0.0, 80.0), (0.002, math.inf)])
def test_refuses_levels_out_of_order(levels: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="sigma_min < sigma_max"):
        Process.edm(*levels)


@pytest.mark.parametrize("betas", [(0.0, 0.02), (0.02, 1.0), (0.001, math.nan)])
def test_refuses_betas_that_are_no_variances(betas: tuple[float, float]) -> None:
    for process in (Process.linear, Process.scaled_linear, Process.zero_terminal):
        with pytest.raises(InputError, match="betas from"):
            process(*betas)
