"""What is measured of a control: figures between their floor and their ceiling, and pictures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image

from mezzotint.evals.steering.estimate import Estimate

SHOWN = 6  # cases on a sheet

Captioned = tuple[Image.Image, str]


@dataclass(frozen=True)
class Finding:
    """One figure.

    Attributes:
        what: what was measured.
        found: the figure.
        reach: what it is to reach; None where it is only told.
        ceiling: the same of true pictures.
        floor: the same where nothing was steered, or the wrong thing.
        percent: whether it is a share or a difference of shares.
    """

    what: str
    found: Estimate
    reach: float | None = None
    ceiling: float | None = None
    floor: float | None = None
    percent: bool = False

    @property
    def reached(self) -> bool | None:
        """Whether it reaches what it is to reach; None where it is only told."""
        return None if self.reach is None else self.found.value >= self.reach

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """What, the figure with its interval, ceiling, floor, and what it is to reach."""
        ends = "–".join(self._said(end) for end in (self.found.low, self.found.high))
        mark = {True: " ✓", False: " ✗", None: ""}[self.reached]
        others = (self.ceiling, self.floor, self.reach)
        ceiling, floor, reach = ("" if each is None else self._said(each) for each in others)
        reach = f"≥ {reach}{mark}" if reach else ""
        return self.what, f"**{self._said(self.found.value)}** ({ends})", ceiling, floor, reach

    def _said(self, value: float) -> str:
        return f"{100 * value:.0f} %" if self.percent else f"{value:.2f}"


@dataclass(frozen=True)
class Section:
    """What was found of one control; only a note where it is not there.

    Attributes:
        name: of the control, and of its sheet's file.
        note: what was asked, or why nothing was.
        findings: the figures.
        shown: pictures with a text each, row by row.
    """

    name: str
    note: str
    findings: tuple[Finding, ...] = ()
    shown: tuple[Captioned, ...] = ()

    @property
    def there(self) -> bool:
        """Whether anything was measured."""
        return bool(self.findings)


def rows(*columns: Sequence[Captioned]) -> tuple[Captioned, ...]:
    """The first cases of some columns, case by case."""
    cases: Iterable[tuple[Captioned, ...]] = zip(*columns, strict=True)
    return tuple(each for case in list(cases)[:SHOWN] for each in case)
