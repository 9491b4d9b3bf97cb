"""Strips are no larger than they may be, whatever they are made of."""

import pytest
import torch
from torch import Tensor, nn

from mezzotint.nn import rows
from mezzotint.nn.norm import NormSiLU

WIDTH, HEIGHT, STRIP = 8, 64, 8 * 16 * 4  # of the widest map here, 16 channels, 4 rows


class Seen(nn.Module):
    """A convolution that remembers how many numbers it was given."""

    def __init__(self, inner: nn.Conv2d) -> None:
        super().__init__()
        self.inner, self.most = inner, 0

    def forward(self, x: Tensor) -> Tensor:
        self.most = max(self.most, x.numel())
        return self.inner(x)


@pytest.fixture(autouse=True)
def _short(monkeypatch) -> None:
    monkeypatch.setattr(rows, "STRIP", STRIP)
    monkeypatch.setattr(rows, "FEWEST", 1)


@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2)])
@torch.no_grad()
def test_a_strip_is_as_low_as_the_widest_map_that_it_is_made_of_needs(up: int, down: int) -> None:
    seen = Seen(nn.Conv2d(16, 1, 3, padding=1))
    resize = nn.Upsample(scale_factor=2) if up > 1 else nn.AvgPool2d(down)
    source = rows.whole(torch.randn(1, 16, HEIGHT, WIDTH))
    narrow = rows.Made(source, seen, 1, reach=1)
    made = rows.keep(rows.Made(narrow, resize, 1, up=up, down=down), again=True)
    assert made.shape == (1, HEIGHT * up // down, WIDTH * up // down)
    assert len(made.strips) > 1
    reached = 2 * 16 * WIDTH
    assert STRIP < seen.most <= STRIP + reached
    together = torch.cat(list(made.strips.values()), dim=2)
    torch.testing.assert_close(together, resize(seen(source.rows(0, HEIGHT))))


@torch.no_grad()
def test_moments_of_strips_are_those_of_the_whole() -> None:
    x = torch.randn(1, 16, HEIGHT, WIDTH).double() * torch.linspace(0.1, 5, HEIGHT)[:, None] + 3
    mean, variance = rows.moments(rows.whole(x), groups=4)
    variances, means = torch.var_mean(x.view(4, -1), 1, correction=0)
    torch.testing.assert_close(mean, means)
    torch.testing.assert_close(variance, variances)
    norm = NormSiLU(4, 16).double()
    made = rows.gathered(rows.activated(norm, rows.whole(x)))
    torch.testing.assert_close(made, norm(x))
