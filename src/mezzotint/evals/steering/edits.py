"""Whether an edit by instruction made the change that was asked for, and kept everything else.

Both are read off scenes, where the truth is known: what differs between the scene before and the
scene after has to be seen, and so has what they share, as the judge sees it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, log10

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from mezzotint.errors import InputError
from mezzotint.evals.asking import SURE
from mezzotint.evals.judge import Judge, Seen
from mezzotint.evals.steering.estimate import Estimate, share
from mezzotint.evals.steering.findings import Captioned, Finding, Section
from mezzotint.evals.steering.layout import Asked, box_overlaps
from mezzotint.evals.steering.truth import Codec, painted
from mezzotint.world.boxes import boxes
from mezzotint.world.changes import (
    CHANGES,
    Change,
    ChangeKind,
    change_mask,
    instruction,
    sample_change,
)
from mezzotint.world.scene import HOURLESS, OUTDOORS, SEASONAL, Scene

FIRST_SEED = 1_600_000_000  # changes from this seed on were never trained on
APART = 1_000_000  # between the seeds of two kinds
STANDS = 0.5  # overlap from which a thing stands where it stood
NEAR = 20.0  # decibels: an autoencoder costs more than this leaves, another picture much more
AROUND = 4  # pixels around a change, of 256 along a side, that an autoencoder may smear it over
REACH = 0.7

Editing = Callable[[Image.Image, str, int], Image.Image]
"""Does to a picture what the words say, with a seed."""


@dataclass(frozen=True)
class Case:
    """One edit: the change, the words that ask for it, and a seed for whoever makes it."""

    change: Change
    words: str
    seed: int


def edit_cases(count: int) -> list[Case]:
    """``count`` edits of each kind."""
    found = [
        (sample_change(seed, (kind,)), seed)
        for k, kind in enumerate(CHANGES)
        for seed in range(FIRST_SEED + k * APART, FIRST_SEED + k * APART + count)
    ]
    return [Case(change, instruction(change, seed), seed) for change, seed in found]


def made(change: Change, seen: Seen) -> bool:
    """Whether what is seen has what differs as it is after the change.

    Where a thing comes to stand that was not there is left open, as most instructions leave it.

    Raises:
        InputError: nothing differs that could be seen.
    """
    before, after = change.before, change.after
    differ = {name: said for name, said in _told(after).items() if _told(before).get(name) != said}
    names = _names(before, after, alike=False)
    if not differ and not names:
        raise InputError(f"a change of {change.kind} that changes nothing: give another")
    return all(getattr(seen, name) == said for name, said in differ.items()) and all(
        _as_in(after, name, seen, placed=change.kind != "add") for name in names
    )


def kept(change: Change, seen: Seen) -> bool:
    """Whether what is seen has everything else as it is before the change, and nothing new."""
    before, after = change.before, change.after
    alike = {name: said for name, said in _told(before).items() if _told(after).get(name) == said}
    known = {name for scene in (before, after) for name in _drawn(scene)}
    return (
        all(getattr(seen, name) == said for name, said in alike.items())
        and all(_as_in(before, name, seen) for name in _names(before, after, alike=True))
        and not any(one.score > SURE and one.kind not in known for one in seen.objects)
    )


def psnr(picture: Image.Image, other: Image.Image, where: NDArray[np.bool_]) -> float:
    """Peak signal to noise, in decibels, of the pixels that ``where`` (h, w) chooses."""
    first, second = (np.asarray(each.convert("RGB"), float)[where] for each in (picture, other))
    error = float(((first - second) ** 2).mean())
    return inf if error == 0 else 20 * log10(255) - 10 * log10(error)


def outside(change: Change, size: int) -> NDArray[np.bool_]:
    """Where a change changes nothing, (size, size), and is not near either."""
    mask = torch.from_numpy(change_mask(change, size))[None, None].float()
    reach = max(1, round(AROUND * size / 256))
    wide = F.max_pool2d(mask, 2 * reach + 1, stride=1, padding=reach)
    return wide[0, 0].numpy() == 0


def edit_all(
    edit: Editing, judge: Judge, asked: Sequence[Case], codec: Codec, size: int
) -> Section:
    """Make every edit.

    The ceiling is of true pictures after the change, through the model's autoencoder; the floor of
    pictures that were not edited, of which everything is kept and nothing made.
    """
    before = [painted(case.change.before, size) for case in asked]
    edited = [
        edit(picture, case.words, case.seed) for picture, case in zip(before, asked, strict=True)
    ]
    true = [painted(case.change.after, size) for case in asked]
    drawn, best, same = (
        _marks(asked, before, pictures, judge)
        for pictures in (edited, [codec(picture) for picture in true], before)
    )
    findings: list[Finding] = []
    for kind in dict.fromkeys(case.change.kind for case in asked):
        chosen = [k for k, case in enumerate(asked) if case.change.kind == kind]
        findings += _findings(kind, *([each[k] for k in chosen] for each in (drawn, best, same)))
    if len(findings) > len(_MARKS):
        findings += _findings("all kinds", drawn, best, same)
    first = {case.change.kind: k for k, case in reversed([*enumerate(asked)])}
    shown: list[Captioned] = []
    for k in sorted(first.values()):
        shown += [(before[k], "before"), (edited[k], asked[k].words), (true[k], "a true one")]
    note = f"{len(asked)} pairs of scenes that differ by one change; the words say which."
    return Section("instruction edits", note, tuple(findings), tuple(shown))


@dataclass(frozen=True)
class _Marks:
    made: bool
    kept: bool
    still: bool

    @property
    def both(self) -> bool:
        return self.made and self.kept


_MARKS = {"made": "change made", "kept": "all else kept", "still": "pixels outside it kept"}


def _marks(
    asked: Sequence[Case],
    before: Sequence[Image.Image],
    pictures: Sequence[Image.Image],
    judge: Judge,
) -> list[_Marks]:
    found: list[_Marks] = []
    each = zip(asked, before, pictures, judge.see(pictures), strict=True)
    for case, old, new, seen in each:
        where = outside(case.change, new.width)
        still = not where.any() or psnr(new, old, where) >= NEAR
        found.append(_Marks(made(case.change, seen), kept(case.change, seen), still))
    return found


def _findings(
    kind: ChangeKind | str, drawn: list[_Marks], best: list[_Marks], same: list[_Marks]
) -> list[Finding]:
    def shares(marks: list[_Marks], name: str) -> Estimate:
        return share([getattr(mark, name) for mark in marks])

    return [
        Finding(
            f"{kind}: {said}",
            shares(drawn, name),
            None if name == "still" else REACH,
            shares(best, name).value,
            shares(same, name).value,
            percent=True,
        )
        for name, said in _MARKS.items()
    ]


def _told(scene: Scene) -> dict[str, str]:
    """What can be seen of a scene as a whole, by the judge's name for it."""
    place = scene.place
    told = {"place": place, "style": scene.style}
    told |= {} if place in HOURLESS else {"hour": scene.hour}
    told |= {"season": scene.season} if place in SEASONAL else {}
    return told | ({"weather": scene.weather} if place in OUTDOORS else {})


def _drawn(scene: Scene) -> dict[str, list[str | None]]:
    """The colour of each drawing, hats too, by the name of what it is."""
    found: dict[str, list[str | None]] = {}
    for thing in scene.things:
        found.setdefault(thing.name, []).extend([thing.colour] * thing.count)
        if thing.hat:
            found.setdefault(thing.hat, []).extend([None] * thing.count)
    return found


def _names(before: Scene, after: Scene, alike: bool) -> list[str]:
    """What is drawn in either scene, and in number and colour as in the other or not."""
    one, other = _drawn(before), _drawn(after)
    names = dict.fromkeys((*one, *other))
    return [name for name in names if (one.get(name) == other.get(name)) == alike]


def _as_in(scene: Scene, name: str, seen: Seen, placed: bool = True) -> bool:
    """Whether things of a name are seen in the number, colour and places that a scene has."""
    colours = _drawn(scene).get(name, [])
    found = [one for one in seen.objects if one.kind == name and one.score > SURE]
    if len(found) != len(colours):
        return False
    asked: Asked = [(other, box) for other, box in boxes(scene) if other == name]
    if placed and any(overlap < STANDS for overlap in box_overlaps(asked, seen)):
        return False
    given = [colour for colour in colours if colour is not None]
    # a thing without a colour has its own, and nobody asks for that
    return len(given) < len(colours) or sorted(given) == sorted(one.colour or "" for one in found)
