"""What a diffusers folder says of noise and sampling: scheduler_config.json to a family."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mezzotint.diffusion import SPACINGS, Prediction, Process
from mezzotint.errors import InputError
from mezzotint.families.base import Family, constant

PREDICTIONS: dict[str, Prediction] = {"epsilon": "eps", "v_prediction": "v", "sample": "x0"}

# diffusers' class → our sampler, and the spacing of a config that names none
SCHEDULERS = {
    "DDIMScheduler": ("ddim", "leading"),
    "DDPMScheduler": ("ddpm", "leading"),
    "DEISMultistepScheduler": ("deis", "linspace"),
    "DPMSolverMultistepScheduler": ("dpmpp_2m", "linspace"),
    "EulerAncestralDiscreteScheduler": ("euler_ancestral", "linspace"),
    "EulerDiscreteScheduler": ("euler", "linspace"),
    "HeunDiscreteScheduler": ("heun", "linspace"),
    "KDPM2AncestralDiscreteScheduler": ("dpm2_ancestral", "linspace"),
    "KDPM2DiscreteScheduler": ("dpm2", "linspace"),
    "LCMScheduler": ("lcm", "lcm"),
    "LMSDiscreteScheduler": ("lms", "linspace"),
    "PNDMScheduler": ("pndm", "leading"),
    "UniPCMultistepScheduler": ("unipc", "linspace"),
}


def scheduled(family: Family, config: Mapping[str, Any], source: str) -> Family:
    """``family`` with the process, the prediction and the sampler of ``config``.

    A scheduler that is not known changes nothing but the process and the prediction.

    Raises:
        InputError: a process or a prediction that we do not have.
    """
    if family.prediction == "flow":
        shift = config.get("shift", 1.0)
        dynamic = config.get("use_dynamic_shifting", False)
        return family if dynamic else replace(family, shift=constant(shift))
    kind = config.get("prediction_type", "epsilon")
    if kind not in PREDICTIONS:
        raise InputError(f"{source}: prediction_type {kind!r} is none of {', '.join(PREDICTIONS)}")
    family = replace(
        family,
        process=_process(config, source),
        prediction=PREDICTIONS[kind],
        stops_short=not config.get("set_alpha_to_one", not family.stops_short),
    )
    if config.get("_class_name") not in SCHEDULERS:
        return family
    sampler, spacing = SCHEDULERS[config["_class_name"]]
    if sampler != "lcm":  # which has a spacing of its own, whatever its config says
        spacing = config.get("timestep_spacing", spacing)
    spacing = "karras" if config.get("use_karras_sigmas") else spacing
    spacing = spacing if spacing in SPACINGS else family.spacing
    return replace(family, sampler=sampler, spacing=spacing)


def scheduler_config(family: Family) -> dict[str, Any]:
    """The scheduler_config.json of a family, as the published models have it."""
    if family.prediction == "flow":
        small, large = (family.shift(side, side) if family.shift else 1.0 for side in (16, 128))
        return {
            "_class_name": "FlowMatchEulerDiscreteScheduler",
            "shift": small if small == large else 3.0,
            "use_dynamic_shifting": small != large,
        }
    kind: dict[str, Any] = {"set_alpha_to_one": False}
    if family.sampler == "euler":
        kind = {"_class_name": "EulerDiscreteScheduler"}
    elif family.sampler == "lcm":
        kind = {"_class_name": "LCMScheduler"}
    elif family.prediction == "v":  # diffusers' PNDM averages v at different noise levels
        kind |= {"_class_name": "DDIMScheduler", "clip_sample": False}
    else:
        kind |= {"_class_name": "PNDMScheduler", "skip_prk_steps": True}
    zero_snr = family.process.name == "zero_terminal"
    return {
        **kind,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "num_train_timesteps": 1000,
        "prediction_type": next(k for k, v in PREDICTIONS.items() if v == family.prediction),
        "steps_offset": 1,
        "timestep_spacing": "leading",
        **({"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"} if zero_snr else {}),
    }


def _process(config: Mapping[str, Any], source: str) -> Process:
    kind = config.get("beta_schedule", "linear")
    ends = config.get("beta_start", 1e-4), config.get("beta_end", 0.02)
    if kind == "scaled_linear" and config.get("rescale_betas_zero_snr"):
        return Process.zero_terminal(*ends)
    made = {"scaled_linear": Process.scaled_linear, "linear": Process.linear}
    if kind not in made or config.get("trained_betas") is not None:
        raise InputError(f"{source}: beta_schedule {kind!r} is none of {', '.join(made)}")
    return made[kind](*ends)
