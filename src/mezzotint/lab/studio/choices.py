"""What can be chosen with the model at hand: settings with their ranges and its own defaults."""

from dataclasses import asdict
from typing import Any

from mezzotint.checkpoints.find import offered
from mezzotint.diffusion import SPACINGS, times
from mezzotint.diffusion.noise import NOISES
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.errors import InputError
from mezzotint.families.base import Family, text_name
from mezzotint.families.editing import instructs
from mezzotint.lab.adapters import controls, lacking, sights
from mezzotint.lab.studio.models import variants
from mezzotint.lab.studio.settings import OF_ENCODERS, SETTINGS
from mezzotint.pipeline.editing.change import STRENGTH
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.prompts import DIALECTS

KEEP = 0.8  # as ``pipe.edit`` has it
ADAPTERS = ("lora", "embedding")  # a prompt can name them


def choices(pipe: Pipeline) -> dict[str, Any]:
    """All that a page needs to know of the model to ask for pictures; JSON can say it."""
    family = pipe.model.family
    beside = family.beside
    return {
        "model": {
            "name": pipe.source,
            "digest": pipe.model.digest,
            "family": family.name,
            "size": family.size,
            "smallest": family.smallest,
            "largest": family.largest,
            "multiple": family.multiple,
        },
        "can": {
            "draw": beside is None,
            "edit": True,
            "word": not instructs(family),
            "relevant": beside is None or instructs(family),
            "keeps": beside is not None and beside.keeps > 0,
            "needs_mask": beside is not None and beside.masked,
            "expand": beside is None or beside.masked,
            "source": beside is None,
            "instruct": instructs(family),
        },
        "settings": [
            asdict(each) | more
            for each in SETTINGS
            if (more := _at_hand(each.name, family)) is not None
        ],
        "samplers": list(SAMPLERS),
        "spacings": _spacings(family),
        "dialects": list(DIALECTS),
        "variants": list(variants(pipe.source)),
        "guides": {
            "controls": sorted(controls(pipe)),
            "sights": sorted(sights(pipe)),
            "why": lacking(pipe),
        },
        "adapters": {kind: sorted(offered(kind)) for kind in ADAPTERS},
    }


def _at_hand(name: str, family: Family) -> dict[str, Any] | None:
    """The default of a setting, and what of it is the family's; None where it has no such thing."""
    beside, reads = family.beside, family.reads
    match name:
        case "steps" | "cfg":
            return {"default": getattr(family, name)}
        case "width" | "height":
            return {"default": family.size, **_sides(family)}
        case "sampler":
            return {"default": family.sampler, "choices": list(SAMPLERS)}
        case "spacing":
            return {"default": family.spacing, "choices": _spacings(family)}
        case "dialect":
            return {"default": "mezzotint", "choices": list(DIALECTS)}
        case "noise":
            return {"default": "mezzotint", "choices": list(NOISES)}
        case "batch":
            return {"default": 1}
        case "guidance":
            return None if family.guidance is None else {"default": family.guidance}
        case "clip_skip":
            one = len(reads) == 1 and reads[0].normed
            return {"default": reads[0].skip + 1} if one else None
        case "image_cfg":
            told = None if beside is None else beside.image_cfg
            return None if told is None else {"default": told}
        case "strength":
            return {"default": STRENGTH if beside is None else 1.0}
        case "source" | "keep" if beside is not None:
            return None
        case "keep":
            return {"default": KEEP}
        case "expand" if beside is not None and not beside.masked:
            return None
        case _ if name in OF_ENCODERS:
            there = [text_name(k) for k in range(len(reads))] if len(reads) > 1 else []
            return {"default": ""} if name in there else None
        case _:
            return {"default": None}


def _sides(family: Family) -> dict[str, int]:
    """The smallest and the largest side that are multiples, and the multiple."""
    multiple = family.multiple
    least = -(-family.smallest // multiple) * multiple
    return {"min": least, "max": family.largest // multiple * multiple, "step": multiple}


def _spacings(family: Family) -> list[str]:
    """Those that the family's process has."""
    found: list[str] = []
    for name in SPACINGS:
        try:
            times(family.process, family.steps, name)
        except InputError:
            continue
        found.append(name)
    return found
