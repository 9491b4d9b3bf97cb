"""Pictures of an album as a network learns them: latents, what is told of them, companions."""

from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.families.base import Canvas, Model
from mezzotint.training.data.album import Shot, divided
from mezzotint.training.data.buckets import Plan, buckets, nearest
from mezzotint.training.data.cached import Maker, View, kept, latents, opened_array
from mezzotint.training.data.picture_files import named
from mezzotint.training.data.wordings import Reads
from mezzotint.training.draw import Draw, subseed
from mezzotint.training.process_group import Group
from mezzotint.training.task import Batch

T = TypeVar("T")


@dataclass(frozen=True)
class Ready:
    """A shot and what is kept of it.

    Attributes:
        shot: the picture.
        canvas: the size of its bucket.
        wordings: its captions, one or more.
        views: the files of its latents and of its companion's array, if it has one; then those of
            its mirror image, if that is trained on.
    """

    shot: Shot
    canvas: Canvas
    wordings: tuple[str, ...]
    views: tuple[tuple[Path, ...], ...]


class Examples:
    """Batches of an album, each of one size; which, is a function of the seed and the step alone.

    Args:
        ready: the shots, in the order of their numbers.
        told: what is read of each of their captions, and of none, on each of their canvases.
    """

    def __init__(self, ready: Sequence[Ready], told: Mapping[tuple[str, Canvas], Batch]) -> None:
        self.ready, self._told = tuple(ready), told
        by_canvas: dict[Canvas, list[int]] = defaultdict(list)
        for number, each in enumerate(ready):
            by_canvas[each.canvas].append(number)
        self._pools = tuple(by_canvas.values())
        repeats = [[ready[number].shot.repeats for number in pool] for pool in self._pools]
        self._plan = Plan(tuple(map(np.repeat, self._pools, repeats)))

    def __len__(self) -> int:
        return len(self.ready)

    @property
    def epoch(self) -> int:
        """Rows of an epoch, which visits each shot as often as it repeats."""
        return self._plan.entries

    def divided(self, most: int) -> tuple[Self, Self]:
        """Those to train on, and those that only validation sees; see ``album.divided``."""
        train, held_out = divided(self.ready, most)
        return type(self)(train, self._told), type(self)(held_out, self._told)

    def batch(self, draw: Draw, blank: NDArray[np.bool_] | None = None) -> Batch:
        """This process's rows of the batch of a step, on the host.

        Args:
            draw: which step.
            blank: (rows,) whose caption is left out, for guidance; none's by default.

        Returns:
            ``latents`` (b, c, h, w) float32 of zero mean and unit variance, ``shots`` (b,) int64,
            the numbers of the shots, and ``companions``, pixels (b, 3, H, W) in [0, 1] or latents,
            where there are any; and what ``Reads`` gives of the captions.
        """
        numbers = self._plan.rows(draw).tolist()
        views, wordings = draw.chances("mirror").tolist(), draw.chances("wording").tolist()
        captions = [
            _at(self.ready[k].wordings, at) for k, at in zip(numbers, wordings, strict=True)
        ]
        if blank is not None:
            captions = ["" if drop else c for c, drop in zip(captions, blank, strict=True)]
        return _stacked(list(map(self._row, numbers, views, captions)))

    def telling(self, shots: Tensor) -> Batch:
        """What is told of these shots (b,) by their first wordings."""
        chosen = [self.ready[number] for number in shots.tolist()]
        return _stacked([self._told[each.wordings[0], each.canvas] for each in chosen])

    def each(self, size: int) -> Generator[Batch]:
        """Every shot once, as it is and by its first wording, in batches of ``size`` or fewer."""
        for pool in self._pools:
            for first in range(0, len(pool), size):
                part = pool[first : first + size]
                yield _stacked([self._row(k, 0.0, self.ready[k].wordings[0]) for k in part])

    def _row(self, number: int, view: float, caption: str) -> Batch:
        ready = self.ready[number]
        arrays = [opened_array(file) for file in _at(ready.views, view)]
        names = ("latents", "companions")[: len(arrays)]
        return {
            **dict(zip(names, arrays, strict=True)),
            "shots": torch.tensor(number),
            **self._told[caption, ready.canvas],
        }


def examples(
    shots: Sequence[Shot],
    model: Model,
    size: int,
    home: Path,
    reads: Reads,
    group: Group,
    *,
    warn: Callable[[str], None],
    progress: Callable[[str, int, int], None],
    wordings: Callable[[Shot], tuple[str, ...]] = lambda shot: (shot.caption,),
    companions: Maker | None = None,
    mirror: bool = False,
) -> Examples:
    """Make everything ready that is not yet; pictures that turn out to be broken are skipped.

    Args:
        shots: the pictures.
        model: whose autoencoder makes the latents; on the device, with nothing attached.
        size: side of the square whose area the pictures have.
        home: the folder that latents are kept in.
        reads: what batches hold of the captions.
        group: the processes that share the work.
        warn: called with each warning, one line.
        progress: called with what is being done, and how much of how much is done.
        wordings: what is said of a shot, at each visit one of them.
        companions: what is made of companions, ``pixels()`` or ``latents(model)``; needs shots
            that have one.
        mirror: whether half of the visits are to the mirror image.

    Raises:
        InputError: the size is none of the family's, no picture can be read, the folder cannot be
            written, or the disk is full.
    """
    sizes = buckets(model.family, size)
    chosen = [nearest(sizes, (shot.width, shot.height)) for shot in shots]
    flips = (False, True) if mirror else (False,)
    pairs = [pair for pair in zip(shots, chosen, strict=True) for _ in flips]
    own = [
        View(shot.file, at, None, flip)
        for (shot, at), flip in zip(pairs, flips * len(shots), strict=True)
    ]
    files = [kept(home, own, latents(model), group, progress)]
    if companions:
        beside = [
            replace(view, file=_companion(shot), shape=(shot.width, shot.height))
            for view, (shot, _) in zip(own, pairs, strict=True)
        ]
        files.append(kept(home, beside, companions, group, progress))
    whole = [tuple(file for file in row if file) for row in zip(*files, strict=True)]
    ready: list[Ready] = []
    broken: list[Path] = []
    for number, (shot, (width, height)) in enumerate(zip(shots, chosen, strict=True)):
        views = tuple(whole[number * len(flips) : (number + 1) * len(flips)])
        if all(len(view) == len(files) for view in views):
            ready.append(Ready(shot, Canvas(height, width), wordings(shot), views))
        else:
            broken.append(shot.file)
    if group.leads:
        _warn(shots, broken, ready, warn)
    if not ready:
        raise InputError(f"no picture can be read: {named(broken)}")
    return _told(ready, reads)


def retold(some: Examples, wordings: tuple[str, ...], reads: Reads) -> Examples:
    """The same shots, of each of which these wordings are told."""
    return _told([replace(each, wordings=wordings) for each in some.ready], reads)


def _told(ready: Sequence[Ready], reads: Reads) -> Examples:
    # before training: a text encoder is not asked again, nor may it have changed
    asked = {(wording, each.canvas) for each in ready for wording in (*each.wordings, "")}
    return Examples(ready, {key: reads(*key) for key in sorted(asked, key=repr)})


def together(
    batch: Batch,
    others: Examples | None,
    prefix: str,
    draw: Draw,
    blank: NDArray[np.bool_] | None = None,
) -> Batch:
    """A batch and, under names that begin with a prefix, as many rows of other examples, if any.

    Each has its own size, so the two terms of DreamBooth's loss (Ruiz et al. 2208.12242, eq. 2) are
    two batches; ``apart`` tells them apart.
    """
    if others is None:
        return batch
    rows = others.batch(replace(draw, seed=subseed(draw.seed, prefix.rstrip("."))), blank)
    return batch | {prefix + name: each for name, each in rows.items()}


def apart(batch: Batch, prefix: str) -> tuple[Batch, Batch]:
    """A batch, and the one under names that begin with a prefix, without it; empty if none does."""
    others = {k.removeprefix(prefix): rows for k, rows in batch.items() if k.startswith(prefix)}
    return {k: rows for k, rows in batch.items() if not k.startswith(prefix)}, others


def _companion(shot: Shot) -> Path:
    if shot.companion is None:
        raise TypeError(f"{shot.file} was read without its companion")
    return shot.companion


def _warn(
    shots: Sequence[Shot],
    broken: Sequence[Path],
    ready: Sequence[Ready],
    warn: Callable[[str], None],
) -> None:
    if broken:
        warn(f"skipped {len(broken)} of {len(shots)} pictures as broken: {named(broken)}")
    small = [
        each.shot.file
        for each in ready
        if each.shot.width < each.canvas.width or each.shot.height < each.canvas.height
    ]
    if small:
        warn(
            f"{len(small)} of {len(shots)} pictures are smaller than they are trained at, "
            f"and are enlarged: {named(small)}"
        )


def _at(options: Sequence[T], chance: float) -> T:
    """One of the options, by a number in [0, 1)."""
    return options[int(chance * len(options))]


def _stacked(rows: Sequence[Batch]) -> Batch:
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
