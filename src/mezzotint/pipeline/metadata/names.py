"""What A1111 and ComfyUI call our samplers and spacings, and where theirs are only nearly ours."""

from collections.abc import Mapping

SAMPLER_LABELS = {  # ours → A1111's, which we write
    "ddim": "DDIM",
    "pndm": "PLMS",
    "lms": "LMS",
    "euler": "Euler",
    "euler_ancestral": "Euler a",
    "heun": "Heun",
    "dpm2": "DPM2",
    "dpm2_ancestral": "DPM2 a",
    "dpmpp_2s_ancestral": "DPM++ 2S a",
    "dpmpp_sde": "DPM++ SDE",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_3m_sde": "DPM++ 3M SDE",
    "unipc": "UniPC",
    "lcm": "LCM",
}
SPACING_LABELS = {
    "karras": "Karras",
    "exponential": "Exponential",
    "beta": "Beta",
    "align_your_steps": "Align Your Steps",
    "linspace": "Uniform",
}

A1111_SPACINGS = {  # theirs → ours, beside those that we write
    "Automatic": "linspace",
    "Normal": "linspace",
    "SGM Uniform": "trailing",
    "Simple": "trailing",
    "DDIM": "leading",
}
COMFYUI_SAMPLERS = {  # theirs → ours; where both have one name it is that
    **{
        name: name
        for name in ("euler", "euler_ancestral", "heun", "lms", "dpmpp_2s_ancestral", "dpmpp_sde")
    },
    **{name: name for name in ("dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m_sde", "ddpm", "lcm", "ipndm")},
    **{f"{name}_gpu": name for name in ("dpmpp_sde", "dpmpp_2m_sde", "dpmpp_3m_sde")},
    "deis": "deis",
    "dpm_2": "dpm2",
    "dpm_2_ancestral": "dpm2_ancestral",
    "ddim": "euler",  # the same step
    "uni_pc": "unipc",
    "uni_pc_bh2": "unipc",
}
COMFYUI_SPACINGS = {
    "normal": "linspace",
    "karras": "karras",
    "exponential": "exponential",
    "sgm_uniform": "trailing",
    "simple": "trailing",
    "ddim_uniform": "leading",
    "beta": "beta",
}

_SHORT = "it leaves out the last noise level but one there"
_ORDER = "its predictor is another there"
SAMPLER_REMARKS: dict[tuple[str, str], str] = {
    ("A1111", "DPM2"): _SHORT,
    ("A1111", "DPM2 a"): _SHORT,
    ("A1111", "DPM++ 3M SDE"): _SHORT,
    ("A1111", "UniPC"): _ORDER,
    ("ComfyUI", "dpm_2"): _SHORT,
    ("ComfyUI", "dpm_2_ancestral"): _SHORT,
    ("ComfyUI", "uni_pc"): _ORDER,
    ("ComfyUI", "uni_pc_bh2"): _SHORT,
}
_PARTS = "it visits parts of timesteps there and whole ones here, which shows a little"
UNLESS_WHOLE = "it rounds otherwise there, unless the steps divide 1000"
_LAST = "it ends a timestep later there, which shows a little"
SPACING_REMARKS: dict[tuple[str, str], str] = {
    **{("A1111", label): _PARTS for label in ("Automatic", "Uniform", "Normal")},
    ("A1111", "SGM Uniform"): _LAST,
    ("A1111", "Simple"): UNLESS_WHOLE,
    ("A1111", "DDIM"): UNLESS_WHOLE,
    ("A1111", "Beta"): "it spaces noise levels there and times here",
    ("A1111", "Align Your Steps"): "it takes one step more at the end there",
    ("ComfyUI", "normal"): _PARTS,
    ("ComfyUI", "sgm_uniform"): _LAST,
    ("ComfyUI", "simple"): UNLESS_WHOLE,
    ("ComfyUI", "ddim_uniform"): UNLESS_WHOLE,
    ("ComfyUI", "beta"): "it rounds to whole timesteps there",
}


def named(label: str, labels: Mapping[str, str]) -> str:
    """Our name for ``label`` in a table ours → theirs; without one, the label as it stands."""
    return next((name for name, known in labels.items() if known == label), label)
