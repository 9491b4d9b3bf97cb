"""Real pictures back to noise, and from there to another prompt with their attention kept."""

from collections.abc import Callable, Iterator

from torch import Tensor

from mezzotint.diffusion import Denoiser, Process
from mezzotint.diffusion.samplers import Step
from mezzotint.families.base import Model
from mezzotint.pipeline.words import Reading


def inverted(
    denoise: Denoiser, x: Tensor, times: Tensor, process: Process, rounds: int = 4
) -> Iterator[Step]:
    """DDIM backwards (Song et al. 2010.02502, 4.3): the last x is noise that ``ddim`` makes x of.

    Args:
        denoise: of the prompt that the picture shows, unguided: ``model.network_for(told)``.
        x: clean latents (b, c, h, w).
        times: the grid on which it will be sampled again, noisiest first.
        process: of both.
        rounds: fixed-point iterations of a step; 1 is plain inversion.
    """
    raise NotImplementedError


def kept(
    model: Model,
    noise: Tensor,
    source: Reading,
    target: Reading,
    times: Tensor,
    cfg: float,
    keep: float = 0.8,
    at: Callable[[float], None] = lambda _: None,
) -> Iterator[Step]:
    """``ddim`` of ``target``, attending as ``source`` does (prompt-to-prompt, Hertz 2208.01626).

    Both are drawn in lock-step from the same noise; steps are the target's. Guidance is away from
    the source prompt (Miyake et al. 2305.16807), so that where both prompts agree it does nothing.

    Args:
        model: whose network.
        noise: x_T, as ``inverted`` made it of the picture, (1, c, h, w).
        source: the prompt that the picture shows, ``words.read(...)[0]``.
        target: the prompt that it shall show.
        times: the sampler's grid.
        cfg: the guidance scale.
        keep: share of the steps, 0…1, for which the attention to the prompt is the source's; 0 is
            the target alone.
        at: told how much of the sampling is done before the network is asked, as by ``guided``.

    Raises:
        InputError: ``keep`` is out of its range.
    """
    raise NotImplementedError
