"""Prompt accuracy: the share of pictures that show what was asked for, by skill.

The overall figure is the mean of the skills, as GenEval's is (Ghosh et al. 2023, section 3). Beside
it stand what the judge says of true scenes, which no generator can be told to surpass, and what
it says when each picture is held against every other prompt of its skill, which is chance.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from PIL import Image

from mezzotint.errors import InputError
from mezzotint.evals.asking import fulfilled
from mezzotint.evals.judge import Judge, Seen
from mezzotint.evals.skills import Prompt, Skill
from mezzotint.world.render import render

SIZE = 256  # of true scenes, in pixels along a side
AT_ONCE = 16  # prompts that are drawn before the judge looks
Z = 1.959964  # 95 % of a normal distribution lie within so many deviations

Drawing = Callable[[Sequence[str], Sequence[int]], list[Image.Image]]
"""Makes a picture for each prompt, with its seed."""


@dataclass(frozen=True)
class Score:
    """A share from 0 to 1 and the ends of its 95 % confidence interval."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Scores:
    """What a set of pictures reaches in each skill, and their mean."""

    skills: dict[Skill, Score]

    @property
    def overall(self) -> Score:
        """The mean of the skills; its interval follows from theirs (Zou & Donner 2008, MOVER)."""
        each, n = list(self.skills.values()), len(self.skills)
        share = sum(score.share for score in each) / n
        below = sqrt(sum((score.share - score.low) ** 2 for score in each)) / n
        above = sqrt(sum((score.high - score.share) ** 2 for score in each)) / n
        return Score(share, share - below, share + above)


@dataclass(frozen=True)
class Report:
    """How well prompts are followed: the pictures drawn, true scenes, and chance."""

    drawn: Scores
    ceiling: Scores
    floor: Scores
    prompts: int
    images_per_prompt: int

    def table(self) -> str:
        """The report as lines of text, in percent."""
        lines = [f"{'skill':<16}{'score':>6}  {'95 %':<13}{'ceiling':>8}{'floor':>7}"]
        every = (self.drawn, self.ceiling, self.floor)
        for skill in self.drawn.skills:
            lines.append(_line(skill, *(scores.skills[skill] for scores in every)))
        lines.append(_line("overall", *(scores.overall for scores in every)))
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The report as a table of tables and numbers."""
        parts = {"drawn": self.drawn, "ceiling": self.ceiling, "floor": self.floor}
        told: dict[str, Any] = {
            name: {
                skill: {"share": score.share, "low": score.low, "high": score.high}
                for skill, score in (*scores.skills.items(), ("overall", scores.overall))
            }
            for name, scores in parts.items()
        }
        return {**told, "prompts": self.prompts, "images_per_prompt": self.images_per_prompt}


def prompt_accuracy(
    draw: Drawing, judge: Judge, prompts: Sequence[Prompt], images_per_prompt: int = 1
) -> Report:
    """Draw every prompt and let the judge say which pictures show what was asked for.

    Args:
        draw: makes the pictures; it is given at most 16 prompts × ``images_per_prompt`` at once.
        judge: no generator was trained with it.
        prompts: of one or more skills; the floor needs two or more of each.
        images_per_prompt: pictures of each, with seeds that follow one another.

    Raises:
        InputError: there are no prompts, or the judge does not know a name that they ask for.
    """
    _check(judge, prompts, images_per_prompt)
    seen: list[list[Seen]] = []
    for first in range(0, len(prompts), AT_ONCE):
        part = prompts[first : first + AT_ONCE]
        texts = [prompt.text for prompt in part for _ in range(images_per_prompt)]
        seeds = [prompt.seed + k for prompt in part for k in range(images_per_prompt)]
        found = judge.see(draw(texts, seeds))
        seen += [found[k : k + images_per_prompt] for k in range(0, len(found), images_per_prompt)]
    return Report(
        drawn=scores(prompts, seen),
        ceiling=ceiling(judge, prompts),
        floor=floor(prompts, seen),
        prompts=len(prompts),
        images_per_prompt=images_per_prompt,
    )


def ceiling(
    judge: Judge,
    prompts: Sequence[Prompt],
    restyle: Callable[[list[Image.Image]], list[Image.Image]] | None = None,
) -> Scores:
    """What the judge says of a true scene of each prompt.

    ``restyle`` changes the pictures before they are judged: an autoencoder there and back gives
    the ceiling of every generator that draws in its latents.
    """
    seen: list[list[Seen]] = []
    for first in range(0, len(prompts), AT_ONCE):
        part = prompts[first : first + AT_ONCE]
        pictures = [Image.fromarray(render(prompt.scene, SIZE)) for prompt in part]
        seen += [[one] for one in judge.see(restyle(pictures) if restyle else pictures)]
    return scores(prompts, seen)


def floor(prompts: Sequence[Prompt], seen: Sequence[Sequence[Seen]]) -> Scores:
    """What the pictures of each prompt show of what all others of its skill ask for.

    All of them, as prompts take turns in what they ask for: of those so many places further on
    every one may ask for the same hour, or none. A prompt that is alone is held against itself.
    """
    shares: dict[Skill, list[float]] = {}
    for here, pictures in zip(prompts, seen, strict=True):
        others = [each for each in prompts if each.skill == here.skill and each is not here]
        right = [fulfilled(each.ask, one) for each in others or [here] for one in pictures]
        shares.setdefault(here.skill, []).append(sum(right) / len(right))
    return Scores({skill: wilson(sum(each), len(each)) for skill, each in shares.items()})


def scores(prompts: Sequence[Prompt], seen: Sequence[Sequence[Seen]]) -> Scores:
    """How many of the pictures of each prompt show what it asks for, by skill."""
    shares: dict[Skill, list[float]] = {}
    for prompt, pictures in zip(prompts, seen, strict=True):
        right = [fulfilled(prompt.ask, one) for one in pictures]
        shares.setdefault(prompt.skill, []).append(sum(right) / len(right))
    return Scores({skill: wilson(sum(each), len(each)) for skill, each in shares.items()})


def wilson(right: float, count: int) -> Score:
    """The score interval of a share (Wilson 1927).

    ``count`` is the number of prompts: several pictures of one prompt make ``right`` finer, and
    are not counted as if they were as many prompts.
    """
    share, z2 = right / count, Z * Z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z * sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return Score(share, max(0.0, middle - half), min(1.0, middle + half))


def _check(judge: Judge, prompts: Sequence[Prompt], images_per_prompt: int) -> None:
    if not prompts:
        raise InputError("prompts is empty: give one or more")
    if images_per_prompt < 1:
        raise InputError(f"images_per_prompt {images_per_prompt}: give 1 or more")
    asked = {thing.name for prompt in prompts for thing in prompt.ask.things}
    strange = sorted(asked - set(judge.params.kinds))
    if strange:
        raise InputError(f"the judge does not know {strange[0]!r}: give one trained on that name")


def _line(name: str, drawn: Score, ceiling: Score, floor: Score) -> str:
    interval = f"{100 * drawn.low:.1f} to {100 * drawn.high:.1f}"
    return (
        f"{name:<16}{100 * drawn.share:>6.1f}  {interval:<13}"
        f"{100 * ceiling.share:>8.1f}{100 * floor.share:>7.1f}"
    )
