"""What the model at hand can be steered by: its own adapters, and those in the user's folders."""

from typing import Any

from torch import nn

from mezzotint.checkpoints.find import offered
from mezzotint.errors import InputError
from mezzotint.families import storybook
from mezzotint.families.editing import instructs
from mezzotint.lab.adapters import controls, home, sights
from mezzotint.pipeline.drawing import planned
from mezzotint.pipeline.load import EMBEDDED
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.request import complete

NOTCHES = 20  # of the slider of strengths
RANKS = (1, 2, 4, 8, 16, 32, 64, 128)


def obeying(pipe: Pipeline) -> str | None:
    """What ``mz.load`` makes the one of that takes instructions, None if there is none."""
    if instructs(pipe.model.family):
        return pipe.source
    folder = home(pipe)
    if folder is None or storybook.INSTRUCT not in storybook.variants(folder):
        return None
    known = {path: name for name, path in EMBEDDED.items()}
    return f"{known.get(folder, folder)}#{storybook.INSTRUCT}"


def told(pipe: Pipeline) -> dict[str, Any]:
    """All of it, as JSON can say it.

    Returns:
        "model", its "size" in pixels, "ours" or not, what it takes "beside" the latents if it was
        made for that; the names of "controls", "own" of them the model's, of "sights", "loras" and
        "words"; whether it "obeys"; ``strengths``, ``levels`` and ``low_rank``.
    """
    family, own = pipe.model.family, home(pipe)
    return {
        "model": pipe.source,
        "size": family.size,
        "ours": own is not None,
        "beside": None if family.beside is None else family.beside.purpose,
        "obeys": obeying(pipe) is not None,
        "controls": sorted(controls(pipe)),
        "own": sorted(name for name, path in controls(pipe).items() if path == f"{own}#{name}"),
        "sights": sorted(sights(pipe)),
        "loras": sorted(offered("lora")),
        "words": sorted(offered("embedding")),
        "levels": levels(pipe),
        "strengths": strengths(pipe),
        "weights": sum(weight.numel() for weight in pipe.model.network.parameters()),
        "low_rank": {rank: low_rank(pipe.model.network, rank) for rank in RANKS},
    }


def levels(pipe: Pipeline) -> list[float]:
    """σ where each of the model's usual steps begins, and where the last one ends."""
    grid = planned(pipe.model, complete(pipe.model.family, "", seed=0)).grid
    return [round(float(pipe.model.family.process.sigma(t)), 4) for t in grid]


def strengths(pipe: Pipeline) -> list[dict[str, float | None]]:
    """For strengths of 0 to 1, how many steps are "taken", and "alpha" and "sigma" of the first x.

    Strengths that are less than a step have None for these.
    """
    model, found = pipe.model, list[dict[str, float | None]]()
    request, process = complete(model.family, "", seed=0), model.family.process
    for k in range(NOTCHES + 1):
        notch: dict[str, float | None] = {"strength": k / NOTCHES, "taken": 0}
        try:
            grid = planned(model, request, k / NOTCHES).grid
            notch |= {"taken": len(grid) - 1, "alpha": float(process.alpha(grid[0]))}
            notch["sigma"] = float(process.sigma(grid[0]))
        except InputError:
            notch |= {"alpha": None, "sigma": None}
        found.append(notch)
    return found


def low_rank(network: nn.Module, rank: int) -> int:
    """How many numbers a LoRA of this rank has for all linear layers: Σ r·(in + out).

    A layer with fewer rows or columns than the rank has as many as these.
    """
    shapes = [layer.weight.shape for layer in network.modules() if isinstance(layer, nn.Linear)]
    return sum(min(rank, *shape) * sum(shape) for shape in shapes)
