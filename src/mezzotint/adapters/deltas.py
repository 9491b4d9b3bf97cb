"""How files describe the change ΔW of a weight: one dataclass a decomposition.

W is a layer's weight (out, in) or (out, in, h, w) before any adapter; ΔW has its shape, dtype and
device. ``fits`` says beforehand whether there is one, from shapes alone.
"""

import math
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

Shape = tuple[int, ...]


class Delta(Protocol):
    """A change of a weight."""

    def delta(self, weight: Tensor) -> Tensor:
        """ΔW of ``weight``."""
        ...

    def fits(self, shape: Shape) -> bool:
        """Whether its tensors go together and give the change of a weight of this shape."""
        ...


@dataclass(frozen=True)
class LoRA:
    """ΔW = α/r · B·A (Hu et al. 2021, arXiv 2106.09685, 4.1).

    Attributes:
        up: B (out, r), or (out, r, 1, 1).
        down: A (r, in), or (r, in, h, w).
        mid: core (r, r, h, w) of a convolution's Tucker form, down being (r, in, 1, 1) (Yeh et al.
            2023, arXiv 2309.14859, 3.3).
        alpha: α; None where a file has none, for α = r.
    """

    up: Tensor
    down: Tensor
    alpha: float | None = None
    mid: Tensor | None = None

    @property
    def rank(self) -> int:
        """Rows of A."""
        return self.down.shape[0]

    @property
    def factor(self) -> float:
        """α/r."""
        return _factor(self.alpha, self.rank)

    def delta(self, weight: Tensor) -> Tensor:
        """ΔW of ``weight``."""
        up, down = (factor.to(weight).flatten(1) for factor in (self.up, self.down))
        if self.mid is None:
            change = up @ down
        else:
            change = torch.einsum("or,rshw,si->oihw", up, self.mid.to(weight), down)
        return self.factor * change.reshape(weight.shape)

    def fits(self, shape: Shape) -> bool:
        """As ``Delta`` says."""
        up, down = self.up.flatten(1), self.down.flatten(1)
        return _size(up if self.mid is None else up.T, down, self.mid) == _flat(shape)


@dataclass(frozen=True)
class LoHa:
    """ΔW = α/r · (B₁·A₁) ⊙ (B₂·A₂) (Hyeon-Woo et al. 2021; Yeh et al. 2023, 3.2).

    Attributes:
        ups: B₁, B₂ (out, r), or (r, out) with cores.
        downs: A₁, A₂ (r, in) or (r, in·h·w).
        alpha: α; None for α = r.
        cores: (r, r, h, w) each, of the Tucker form.
    """

    ups: tuple[Tensor, Tensor]
    downs: tuple[Tensor, Tensor]
    alpha: float | None = None
    cores: tuple[Tensor, Tensor] | None = None

    def delta(self, weight: Tensor) -> Tensor:
        """ΔW of ``weight``."""
        cores = self.cores or (None, None)
        first, second = (
            _product(up, down, core, weight)
            for up, down, core in zip(self.ups, self.downs, cores, strict=True)
        )
        return _factor(self.alpha, len(self.downs[0])) * (first * second).reshape(weight.shape)

    def fits(self, shape: Shape) -> bool:
        """As ``Delta`` says."""
        cores = self.cores or (None, None)
        sizes = map(_size, self.ups, self.downs, cores)
        return all(size == _flat(shape) for size in sizes)


@dataclass(frozen=True)
class LoKr:
    """ΔW = α/r · C ⊗ D, each whole or a product (Yeh et al. 2023, 3.2).

    Attributes:
        left: C (o₁, i₁), or its (up, down).
        right: D (o₂, i₂) or (o₂, i₂, h, w), or its (up, down), or its Tucker (up, down, core).
        alpha: α; None for α = r. It has no effect where neither is a product.
    """

    left: tuple[Tensor, ...]
    right: tuple[Tensor, ...]
    alpha: float | None = None

    def delta(self, weight: Tensor) -> Tensor:
        """ΔW of ``weight``."""
        left, right = (_whole(factors, weight).flatten(1) for factors in (self.left, self.right))
        ranks = [len(factors[1]) for factors in (self.left, self.right) if len(factors) > 1]
        factor = _factor(self.alpha, ranks[-1]) if ranks else 1.0
        return factor * torch.kron(left, right).reshape(weight.shape)

    def fits(self, shape: Shape) -> bool:
        """As ``Delta`` says."""
        left, right = _whole_size(self.left), _whole_size(self.right)
        both = left and right and (left[0] * right[0], left[1] * right[1])
        return both == _flat(shape)


@dataclass(frozen=True)
class DoRA:
    """W + ΔW = m ⊙ (W + V) / ‖W + V‖ (Liu et al. 2024, arXiv 2402.09353, eq. 5).

    A scale then goes from W (0) to this (1) in a straight line, as in A1111 and ComfyUI. Where it
    is trained, the norm counts as a constant (section 4.3).

    Attributes:
        direction: gives V.
        magnitude: m (out, 1, …), a norm each row, or (1, in, …), a norm each column.
    """

    direction: Delta
    magnitude: Tensor

    @property
    def by_rows(self) -> bool:
        """Whether each row has a magnitude."""
        return len(self.magnitude) == self.magnitude.numel()

    def delta(self, weight: Tensor) -> Tensor:
        """ΔW of ``weight``."""
        merged = weight + self.direction.delta(weight)
        norm = norms(merged.detach(), 0 if self.by_rows else 1)
        return self.magnitude.to(weight).reshape(norm.shape) / norm * merged - weight

    def fits(self, shape: Shape) -> bool:
        """As ``Delta`` says."""
        own = shape[:1] if self.by_rows else shape[1:2]
        return (self.magnitude.numel(),) == own and self.direction.fits(shape)


@dataclass(frozen=True)
class Full:
    """ΔW itself, or the change of a bias or of a normalisation's scale."""

    change: Tensor

    def delta(self, weight: Tensor) -> Tensor:
        """ΔW of ``weight``."""
        return self.change.to(weight).reshape(weight.shape)

    def fits(self, shape: Shape) -> bool:
        """As ``Delta`` says."""
        return self.change.ndim > 0 and _flat(tuple(self.change.shape)) == _flat(shape)


@dataclass(frozen=True)
class Rows:
    """Some rows of ``whole``'s ΔW, where a layer of theirs holds several of ours.

    Attributes:
        whole: the change of all ``total`` rows; not a DoRA.
        index: (n,) which rows.
    """

    whole: Delta
    index: Tensor
    total: int

    def delta(self, weight: Tensor) -> Tensor:
        """ΔW of ``weight``."""
        whole = self.whole.delta(weight.new_empty(self.total, *weight.shape[1:]))
        return whole[self.index.to(weight.device)]

    def fits(self, shape: Shape) -> bool:
        """As ``Delta`` says."""
        return len(self.index) == shape[0] and self.whole.fits((self.total, *shape[1:]))


def norms(weight: Tensor, kept: int) -> Tensor:
    """‖W‖ of each slice along the dimension ``kept``, above 0; the others are of size 1."""
    dims = [i for i in range(weight.ndim) if i != kept]
    norm = torch.linalg.vector_norm(weight, dim=dims, keepdim=True)
    return norm.clamp(min=torch.finfo(norm.dtype).tiny)


def rows(delta: Delta, index: Tensor, total: int) -> Delta:
    """The change of the rows ``index`` (n,) of the ``total`` that ``delta`` changes.

    Raises:
        ValueError: ``delta`` is of another number of rows, or a DoRA with a magnitude a column,
            whose rows depend on each other.
    """
    match delta:
        case LoRA() if len(delta.up) == total:
            return replace(delta, up=delta.up[index])
        case DoRA() if delta.by_rows and len(delta.magnitude) == total:
            return DoRA(rows(delta.direction, index, total), delta.magnitude[index])
        case LoRA() | DoRA():
            raise ValueError(f"no {total} rows that can be told apart")
        case _:
            return Rows(delta, index, total)


def _factor(alpha: float | None, rank: int) -> float:
    return 1.0 if alpha is None else alpha / rank


def _flat(shape: Shape) -> Shape:
    """Rows and columns of a weight as a matrix: a 1 × 1 convolution is a linear layer."""
    return shape[0], math.prod(shape[1:])


def _product(up: Tensor, down: Tensor, core: Tensor | None, like: Tensor) -> Tensor:
    """up·down, or with a core (r, s, h, w) and an ``up`` (r, out) their Tucker product."""
    up, down = up.to(like), down.to(like)
    if core is None:
        return up @ down
    return torch.einsum("ro,rshw,si->oihw", up, core.to(like), down)


def _whole(factors: tuple[Tensor, ...], like: Tensor) -> Tensor:
    if len(factors) == 1:
        return factors[0].to(like)
    up, down, *core = factors
    return _product(up, down, core[0] if core else None, like)


def _size(up: Tensor, down: Tensor, core: Tensor | None) -> Shape | None:
    """Rows and columns of ``_product`` as a matrix, None where there is none."""
    if up.ndim != 2 or down.ndim != 2:
        return None
    if core is None:
        inner = len(down), up.shape[1]
        return (len(up), down.shape[1]) if 0 < inner[0] == inner[1] else None
    together = core.ndim == 4 and (len(up), len(down)) == core.shape[:2] and core.numel() > 0
    return (up.shape[1], down.shape[1] * math.prod(core.shape[2:])) if together else None


def _whole_size(factors: tuple[Tensor, ...]) -> Shape | None:
    if len(factors) == 1:
        return _flat(tuple(factors[0].shape))
    up, down, *core = factors
    return _size(up, down, core[0] if core else None)
