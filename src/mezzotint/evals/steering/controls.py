"""How well pictures follow the edges, the depth or the boxes that they are drawn to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from PIL import Image

from mezzotint.adapters import maps
from mezzotint.evals.asking import each_fulfilled
from mezzotint.evals.judge import Judge
from mezzotint.evals.skills import Prompt
from mezzotint.evals.steering.depth import (
    DepthEye,
    coarse,
    pearson,
    pearson_beside_mean,
    spearman,
)
from mezzotint.evals.steering.edges import Agreement, agreement, edges_in, on
from mezzotint.evals.steering.estimate import gap, mean, share
from mezzotint.evals.steering.findings import Finding, Section, rows
from mezzotint.evals.steering.layout import mean_overlap
from mezzotint.evals.steering.truth import Codec, painted
from mezzotint.world.boxes import boxes
from mezzotint.world.depth import depth
from mezzotint.world.scene import Scene

SEEN = 128  # pixels along a side of a depth map that is compared
ACCURACY = -0.03  # how much prompt accuracy may fall

Drawing = Callable[[Prompt, Image.Image | None], Image.Image]
"""Draws a prompt after a map, or, given none, without the control."""

Agree = Callable[[Sequence[Image.Image], Sequence[Scene]], list[float]]
"""How far each picture follows the map of a scene."""


@dataclass(frozen=True)
class Kind:
    """A kind of condition.

    Attributes:
        name: of the control.
        asks: the map of a scene, from its true picture too.
        agrees: what is compared, by what it is called; the first is what ``reach`` is of.
        reach: what it is to reach.
    """

    name: str
    asks: Callable[[Scene, Image.Image], Image.Image]
    agrees: dict[str, Agree]
    reach: float


def edge_kind(size: int) -> Kind:
    """Canny's edges of pictures ``size`` along a side."""

    def agree(by: Callable[[Agreement], float]) -> Agree:
        return lambda pictures, scenes: [
            by(agreement(edges_in(picture), on(maps.edges(painted(scene, size)))))
            for picture, scene in zip(pictures, scenes, strict=True)
        ]

    agrees = {
        "edge F1": agree(attrgetter("f1")),
        "edge precision": agree(attrgetter("precision")),
        "edge recall": agree(attrgetter("recall")),
    }
    return Kind("edges", lambda _, picture: maps.edges(picture), agrees, 0.8)


def depth_kind(eye: DepthEye) -> Kind:
    """Depth, as ``eye`` sees it in a picture."""

    def asked(scene: Scene, picture: Image.Image) -> Image.Image:
        return maps.depth_map(depth(scene, picture.width))

    def agree(by: Callable[..., list[float]]) -> Agree:
        return lambda pictures, scenes: by(
            eye.see(pictures), coarse([depth(scene, SEEN) for scene in scenes])
        )

    agrees = {
        "depth correlation": agree(pearson),
        "rank correlation": agree(spearman),
        "correlation beside the mean map": agree(pearson_beside_mean),
    }
    return Kind("depth", asked, agrees, 0.85)


def layout_kind(judge: Judge) -> Kind:
    """Boxes, as ``judge`` sees them in a picture."""

    def asked(scene: Scene, picture: Image.Image) -> Image.Image:
        return maps.layout([box for _, box in boxes(scene)], picture.width)

    def agree(pictures: Sequence[Image.Image], scenes: Sequence[Scene]) -> list[float]:
        return [
            mean_overlap(boxes(scene), seen)
            for seen, scene in zip(judge.see(pictures), scenes, strict=True)
        ]

    return Kind("boxes", asked, {"box IoU": agree}, 0.6)


def follow(
    kind: Kind, draw: Drawing, cases: Sequence[Prompt], judge: Judge, codec: Codec, size: int
) -> Section:
    """Draw each case after the map of its scene, and without it.

    The ceiling is of true pictures through the model's autoencoder, the floor of the drawn ones
    against the maps of other cases.
    """
    scenes = [case.scene for case in cases]
    true = [painted(scene, size) for scene in scenes]
    conditions = [kind.asks(*each) for each in zip(scenes, true, strict=True)]
    drawn = [draw(*each) for each in zip(cases, conditions, strict=True)]
    alone = [draw(case, None) for case in cases]
    best = [codec(picture) for picture in true]
    half = len(scenes) // 2
    others = scenes[half:] + scenes[:half]
    findings: list[Finding] = []
    for k, (name, agree) in enumerate(kind.agrees.items()):
        ceiling, floor = mean(agree(best, scenes)).value, mean(agree(drawn, others)).value
        reach = None if k else kind.reach
        findings.append(Finding(name, mean(agree(drawn, scenes)), reach, ceiling, floor))
        if not k:
            findings.append(Finding(f"{name} without the control", mean(agree(alone, scenes))))
    findings += _accuracy(cases, judge, drawn, alone)
    shown = rows(
        [(condition, "asked") for condition in conditions],
        [(picture, case.text) for picture, case in zip(drawn, cases, strict=True)],
        [(picture, "without it") for picture in alone],
    )
    note = f"{len(cases)} prompts of the test, each with a map of a scene that fulfils it."
    return Section(kind.name, note, tuple(findings), shown)


def _accuracy(
    cases: Sequence[Prompt],
    judge: Judge,
    drawn: Sequence[Image.Image],
    alone: Sequence[Image.Image],
) -> list[Finding]:
    """How many prompts are followed with the control, and how many more than without."""
    asks = [case.ask for case in cases]
    right, base = (each_fulfilled(asks, judge.see(some)) for some in (drawn, alone))
    change = gap(right, base)
    return [
        Finding("prompt accuracy", share(right), floor=share(base).value, percent=True),
        Finding("prompt accuracy, against none", change, ACCURACY, percent=True),
    ]
