"""How much pictures look like another picture: its things, or its style.

Likeness is the cosine between two pictures' vectors (CLIP-I, Ruiz et al. 2208.12242, section 4),
in the image tower of the world's own CLIP.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from mezzotint.evals.asking import each_fulfilled
from mezzotint.evals.features import Features, extract
from mezzotint.evals.judge import Judge, Seen
from mezzotint.evals.skills import Prompt
from mezzotint.evals.steering.estimate import mean, ratio, share
from mezzotint.evals.steering.findings import Finding, Section, rows
from mezzotint.evals.steering.truth import Codec, cases, painted
from mezzotint.world.captions import setting_caption
from mezzotint.world.sample import sample_scene
from mezzotint.world.scene import STYLES, Scene, Style
from mezzotint.world.views import in_style_of, second_view

FIRST_SEED = 1_700_000_000  # scenes from this seed on were never trained on
CONTENT, STYLE = 0.85, 0.7


@dataclass(frozen=True)
class View:
    """A scene whose things are to be drawn elsewhere.

    Attributes:
        scene: the one that is shown.
        other: a second view of its things: what would be right.
        words: where the second view is, and in what light, but not of what it is.
        seed: for whoever draws it.
    """

    scene: Scene
    other: Scene
    words: str
    seed: int


@dataclass(frozen=True)
class Manner:
    """A scene whose style something else is to be drawn in."""

    scene: Scene
    prompt: Prompt

    @property
    def style(self) -> Style:
        """The style."""
        return self.scene.style


Showing = Callable[[str, int, Image.Image | None], Image.Image]
"""Draws a prompt with a seed after a picture, or, given none, without the control."""


def views(count: int) -> list[View]:
    """``count`` scenes with things, and a second view of each."""
    found: list[View] = []
    seed = FIRST_SEED
    while len(found) < count:
        scene = sample_scene(seed)
        if scene.things:
            other = second_view(scene, seed)
            found.append(View(scene, other, setting_caption(other, seed), seed))
        seed += 1
    return found


def manners(count: int) -> list[Manner]:
    """``count`` prompts that name no style, each with a scene of other things in one."""
    styles = STYLES[1:]  # nobody has to be shown the default
    found: list[Manner] = []
    for k, prompt in enumerate(cases(count, ("one object",))):
        seed = FIRST_SEED + k
        scene = in_style_of(_restyled(sample_scene(seed), styles[k % len(styles)]), seed)
        found.append(Manner(scene, prompt))
    return found


def cosines(a: Tensor, b: Tensor) -> list[float]:
    """Of each vector (n, d) with its partner."""
    return F.cosine_similarity(a, b, dim=1).tolist()


def show_content(
    draw: Showing, features: Features, asked: Sequence[View], codec: Codec, size: int
) -> Section:
    """Draw each scene's things again, after its picture and in another setting.

    The reach is a share of what a true second view has in common with the picture; the floor is of
    the drawn ones with the pictures of other scenes.
    """
    shown = [painted(view.scene, size) for view in asked]
    second = [painted(view.other, size) for view in asked]
    drawn = [draw(view.words, view.seed, one) for view, one in zip(asked, shown, strict=True)]
    alone = [draw(view.words, view.seed, None) for view in asked]
    references, true, best, found, without = (
        extract(features, some)
        for some in (shown, second, [codec(one) for one in second], drawn, alone)
    )
    near, nearest = cosines(found, references), cosines(true, references)
    others = references.roll(len(asked) // 2, dims=0)
    ceiling = ratio(cosines(best, references), nearest).value
    findings = (
        Finding(
            "CLIP-I to the picture, of a true second view's",
            ratio(near, nearest),
            CONTENT,
            ceiling,
            ratio(cosines(found, others), nearest).value,
        ),
        Finding("CLIP-I to the picture", mean(near), None, mean(nearest).value),
        Finding("CLIP-I without the control", mean(cosines(without, references))),
    )
    sheet = rows(
        [(one, "shown") for one in shown],
        [(one, view.words) for one, view in zip(drawn, asked, strict=True)],
        [(one, "a true second view") for one in second],
    )
    note = f"{len(asked)} scenes; the prompt tells the place and the light, never the things."
    return Section("IP-Adapter, content", note, findings, sheet)


def show_style(
    draw: Showing, judge: Judge, asked: Sequence[Manner], codec: Codec, size: int
) -> Section:
    """Draw each prompt in the style of a picture of something else.

    The ceiling is of true pictures in that style, the floor of the prompts without a picture.
    """
    shown = [painted(manner.scene, size) for manner in asked]
    prompts = [manner.prompt for manner in asked]
    drawn = [draw(p.text, p.seed, one) for p, one in zip(prompts, shown, strict=True)]
    alone = [draw(p.text, p.seed, None) for p in prompts]
    best = [codec(painted(_restyled(m.prompt.scene, m.style), size)) for m in asked]
    seen, without, true = (judge.see(some) for some in (drawn, alone, best))

    def styled(some: Sequence[Seen]) -> list[bool]:
        return [s.style == m.style for s, m in zip(some, asked, strict=True)]

    asks = [p.ask for p in prompts]
    followed, base = (each_fulfilled(asks, some) for some in (seen, without))
    findings = (
        Finding(
            "style of the picture, by the judge",
            share(styled(seen)),
            STYLE,
            share(styled(true)).value,
            share(styled(without)).value,
            percent=True,
        ),
        Finding("prompt accuracy", share(followed), floor=share(base).value, percent=True),
    )
    sheet = rows(
        [(one, "shown") for one in shown],
        [(one, p.text) for one, p in zip(drawn, prompts, strict=True)],
        [(one, "without it") for one in alone],
    )
    note = f"{len(asked)} prompts that name no style, each with a picture of other things in one."
    return Section("IP-Adapter, style", note, findings, sheet)


def _restyled(scene: Scene, style: Style) -> Scene:
    return replace(scene, style=style)
