"""Learning rate and EMA decay, as functions of the step."""

import math
from typing import Literal

Decay = Literal["linear", "cosine"]


def lr_scale(step: int, steps: int, warmup: int, decay_share: float, shape: Decay) -> float:
    """The factor on the peak learning rate at ``step`` (0-based) of ``steps``, in (0, 1].

    A linear warm-up over ``warmup`` steps, then constant, then down to 0 over the last
    ``decay_share`` of the steps (the trapezoid of Zhai et al. 2022, section 3.5, and WSD).
    """
    rise = min(1.0, (step + 1) / (warmup + 1))
    fall_begins = steps * (1 - decay_share)
    done = max(0.0, (step - fall_begins) / max(1.0, steps - fall_begins))
    fall = 1 - done if shape == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return rise * fall


def ema_decay(step: int, decay: float) -> float:
    """The decay of the average at ``step`` (0-based): min(decay, (1+k)/(10+k)).

    The ramp keeps the first, bad weights from lingering in a short run.
    """
    return min(decay, (1 + step) / (10 + step))
