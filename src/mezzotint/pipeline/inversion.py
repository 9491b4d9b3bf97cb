"""Real pictures back to noise, and from there to another prompt with their attention kept."""

import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from itertools import pairwise

import torch
from torch import Tensor

from mezzotint.adapters.attention import lending
from mezzotint.adapters.negatives import negative_rows
from mezzotint.diffusion import Denoiser, Process, denoiser
from mezzotint.diffusion.samplers import Step
from mezzotint.diffusion.samplers.first_order import ddim
from mezzotint.diffusion.samplers.grid import follow, points, slope
from mezzotint.errors import InputError
from mezzotint.families.base import Model
from mezzotint.pipeline.words import Reading

ROUNDS = 4
PLACES = 0.5  # of the steps for which attention to the prompt is kept, the share for self-attention


def inverted(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rounds: int = ROUNDS
) -> Iterator[Step]:
    """DDIM backwards (Song et al. 2010.02502, 4.3): the last x is noise that ``ddim`` makes x of.

    A step of DDIM from s to t follows the slope at s, which is not known yet: it begins as the last
    step's and is asked for again where it led to, until ``ddim`` would come back along it (Pan et
    al. 2309.04907). After one round it is what Dhariwal & Nichol do (2105.05233, appendix F).

    Args:
        denoise: of the prompt that the picture shows, not guided.
        x: clean latents (b, c, h, w).
        times: the grid on which it will be sampled again, noisiest first.
        process: of both.
        rounds: how often the slope of a step is asked for.
    """
    path = points(process, times)[::-1]
    along: Tensor | None = None
    for i, (t, s) in enumerate(pairwise(path)):
        start, x0 = x, x
        for _ in range(rounds):
            x = s.scale / t.scale * start if along is None else follow(start, along, t, s)
            x0 = denoise(x, s.t)
            along = slope(x, x0, s)
        assert along is not None
        x = follow(start, along, t, s)
        yield Step(i, len(path) - 1, float(s.t), x, x0)


def kept(
    model: Model,
    noise: Tensor,
    source: Reading,
    target: Reading,
    times: Tensor,
    cfg: float,
    keep: float = 0.8,
    guidance: float | None = None,
    within: Tensor | None = None,
    at: Callable[[float], None] = lambda _: None,
) -> Iterator[Step]:
    """``ddim`` of ``target``, attending as ``source`` does (prompt-to-prompt, Hertz 2208.01626).

    Both are drawn in lock-step from the same noise; steps are the target's. Guidance is away from
    the source prompt (Miyake et al. 2305.16807), so that where both prompts agree it does nothing.

    Args:
        model: whose network.
        noise: x_T, as ``inverted`` made it of the picture, (1, c, h, w).
        source: the prompt that the picture shows, as ``words.read`` made it.
        target: the prompt that it shall show, read together with the source.
        times: the sampler's grid.
        cfg: the guidance scale.
        keep: share of the steps, 0…1, for which the attention to the prompt is the source's; that
            among places is for half as long. 0 is the target alone.
        guidance: what a network is told that guidance was distilled into; None is the family's.
        within: (1, 1, h, w) of the latents, 0…1, how much may change where; elsewhere stays the
            source. None where all may.
        at: told how much of the sampling is done before the network is asked, as by ``guided``.

    Raises:
        InputError: ``keep`` is out of its range, or the network does not attend to a prompt.
    """
    if not 0 <= keep <= 1:
        raise InputError(f"keep {keep}: give a number from 0, nothing of the picture, to 1")
    process = model.family.process
    told = source.told + target.told + source.told
    negative_rows(model.network, (False,) * 3)
    denoise = denoiser(model.network_for(told, guidance), process, model.family.prediction)
    moved, own = aligned(source, target)
    same = torch.eye(len(own)).to(moved)
    grid = times.detach().cpu()
    others = torch.stack([moved, same]), torch.stack([own, torch.zeros_like(own)])

    with lending(model.network, *others) as lent:

        def both(x: Tensor, t: Tensor) -> Tensor:
            done = int((grid[:-1] > t.to(grid)).sum()) / (len(grid) - 1)
            at(done)
            lent.prompt, lent.places = done < keep, done < PLACES * keep
            here, there, away = denoise(torch.cat([x, x[1:]]), t).chunk(3)
            guided = away + cfg * (there - away)
            # DDIM is linear and begins with one noise, so that what blends x̂₀ blends x
            return torch.cat([here, guided if within is None else here.lerp(guided, within)])

        for step in ddim(both, noise.expand(2, -1, -1, -1), times, process, torch.zeros_like):
            yield Step(step.index, step.total, step.t, step.x[1:], step.x0[1:])


def aligned(source: Reading, target: Reading) -> tuple[Tensor, Tensor]:
    """How attention to a source's tokens goes to the target's: ``moved`` and ``own`` of `Lending`.

    What both prompts say, word by word, goes over as it is; where one says something else than the
    other, the attention to it is spread over what is there instead; words that were put in have
    only their own.

    Returns:
        moved (n, n), own (n,).
    """
    one, other = _labels(source), _labels(target)
    moved, own = torch.zeros(len(one), len(other)), torch.zeros(len(other))
    for kind, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "insert":
            own[c:d] = 1
        elif kind != "delete":
            moved[a:b, c:d] = _spread(b - a, d - c)
    return moved, own


def _spread(n: int, m: int) -> Tensor:
    """(n, m): the share of each of n things on each of m others, both rows equally long."""
    ends, others = m * torch.arange(n + 1), n * torch.arange(m + 1)
    shared = torch.minimum(ends[1:, None], others[1:]) - torch.maximum(ends[:-1, None], others[:-1])
    return shared.clamp(min=0) / m


def _labels(reading: Reading) -> list[tuple[int, str, int]]:
    """What tells the same token of two readings: the encoder, the word and which of its tokens."""
    words = [match.span() for match in re.finditer(r"\w+|[^\w\s]+", reading.text)]
    labels: list[tuple[int, str, int]] = []
    last, k = None, 0
    for row in reading.rows:
        if row.place is None:
            labels.append((row.encoder, "", row.id))
            continue
        word = next((w for w in words if w[0] < row.place[1] and row.place[0] < w[1]), row.place)
        k = k + 1 if (row.encoder, word) == last else 0
        last = row.encoder, word
        labels.append((row.encoder, reading.text[slice(*word)].lower(), k))
    return labels
