"""What was found, as Markdown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from mezzotint.bench.contestants import Contestant
from mezzotint.bench.figures import Ceilings, Run, Works, medians
from mezzotint.bench.shapes import Shape

COMPARED = {"step": "step", "picture": "picture", "peak": "memory"}


@dataclass(frozen=True)
class Entry:
    """A contestant, why it has no figures if it has none, and its turns."""

    contestant: Contestant
    missing: str
    runs: Sequence[Run]

    @cached_property
    def figures(self) -> Mapping[str, float]:
        """The medians of its turns."""
        return {} if self.missing else medians(self.runs)


@dataclass(frozen=True)
class Findings:
    """All that was measured of a shape.

    Attributes:
        shape: what was drawn.
        whole: whether it had all of its blocks.
        steps, rounds: of a picture, and how many pictures.
        ceilings: of the machine.
        works: FLOPs of a step, and of decoding.
        entries: the contestants.
        machine: in words.
        versions: of what was measured beside this package, in words.
    """

    shape: Shape
    whole: bool
    steps: int
    rounds: int
    ceilings: Ceilings
    works: Works
    entries: Sequence[Entry]
    machine: str
    versions: str


def section(found: Findings) -> str:
    """The section of a shape."""
    shape = found.shape
    title = f"## Engines and peers: {shape.title}, {shape.size} × {shape.size}"
    parts = [title, _figures(found), _ratios(found), _about(found)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _figures(found: Findings) -> str:
    columns: list[tuple[str, Callable[[Entry], str]]] = [
        ("a guided step" if found.shape.guided else "a step", _seconds("step")),
        ("of the ceiling", lambda entry: _share(found, entry)),
        (f"{found.steps} steps, cold, load included", _seconds("picture")),
        ("decoding", _seconds("decode")),
        ("peak memory", _bytes("peak")),
        ("GPU memory", _bytes("gpu_peak")),
        ("GPU busy", _percent("busy")),
        ("import", _seconds("import")),
        ("PSNR to float32", _decibels("psnr")),
    ]
    shown = [
        (name, [cell(entry) for entry in found.entries])
        for name, cell in columns
        if any(cell(entry) for entry in found.entries)
    ]
    lines = [_row("", *(name for name, _ in shown)), _row(*["---"] * (len(shown) + 1))]
    for k, entry in enumerate(found.entries):
        cells = [entry.missing, *[""] * (len(shown) - 1)] if entry.missing else []
        lines.append(_row(entry.contestant.name, *(cells or [cells[k] for _, cells in shown])))
    return "\n".join(lines)


def _ratios(found: Findings) -> str:
    """Ours over theirs, where there are both."""
    ours, theirs = (
        [e for e in found.entries if e.figures and e.contestant.ours is side]
        for side in (True, False)
    )
    if not ours or not theirs:
        return ""
    head = f"ours / theirs: {', '.join(COMPARED.values())}"
    lines = [_row(head, *(e.contestant.name for e in theirs)), _row(*["---"] * (len(theirs) + 1))]
    for our in ours:
        cells = (
            ", ".join(_ratio(our.figures, their.figures, name) for name in COMPARED)
            for their in theirs
        )
        lines.append(_row(our.contestant.name, *cells))
    return "\n".join(lines)


def _about(found: Findings) -> str:
    ceilings, shape = found.ceilings, found.shape
    times = "once" if found.rounds == 1 else f"{found.rounds} times in turn, medians shown"
    weights = "its own weights" if shape.embedded else "the same random weights, kept in bf16"
    sizes = "" if found.whole or not shape.reduced else f" This model has {shape.reduced}."
    rates = "; ".join(
        f"{name} {_tera(ceilings.rates[name]['products'])} in products"
        + (f", {_tera(kinds['convolutions'])} in convolutions" if name != "int8" else "")
        for name, kinds in ceilings.rates.items()
        if kinds["products"]
    )
    place = ceilings.name or f"{ceilings.threads} threads"
    flops = sum(found.works["step"].values()) / 1e9
    return (
        f"Each drew {times}, every time in a new process, with {weights}.{sizes} A step computes "
        f"{flops:,.0f} GFLOP in convolutions and products; the ceiling is what they would take at "
        f"the best rates that this machine showed in the same run: {rates}; memory "
        f"{ceilings.bandwidth / 1e9:.0f} GB/s.{_noise(found)} On {found.machine}, {place}; "
        f"{found.versions}. Made by `mezzotint bench`."
    )


def _noise(found: Findings) -> str:
    """Whose picture is another, whatever it computes."""
    kinds = (entry.contestant.kind for entry in found.entries if entry.figures)
    titles = dict.fromkeys(kind.title for kind in kinds if not kind.noise)
    return "".join(
        f" {title} begins with noise of its own, so its picture is not compared."
        for title in titles
    )


def _share(found: Findings, entry: Entry) -> str:
    step = entry.figures.get("step")
    least = found.ceilings.least(found.works["step"], entry.contestant.multiplies)
    return f"{least / step:.0%}" if step and least else ""


def _seconds(name: str) -> Callable[[Entry], str]:
    def cell(entry: Entry) -> str:
        value = entry.figures.get(name)
        if value is None:
            return ""
        return f"{value * 1000:.0f} ms" if value < 0.1 else f"{value:.2f} s"

    return cell


def _bytes(name: str) -> Callable[[Entry], str]:
    return lambda entry: f"{entry.figures[name] / 1e9:.2f} GB" if name in entry.figures else ""


def _percent(name: str) -> Callable[[Entry], str]:
    return lambda entry: f"{entry.figures[name]:.0%}" if name in entry.figures else ""


def _decibels(name: str) -> Callable[[Entry], str]:
    return lambda entry: f"{entry.figures[name]:.0f} dB" if name in entry.figures else ""


def _ratio(ours: Mapping[str, float], theirs: Mapping[str, float], name: str) -> str:
    if not ours.get(name) or not theirs.get(name):
        return "–"
    return f"{ours[name] / theirs[name]:.2f}"


def _tera(rate: float) -> str:
    return f"{rate / 1e12:.2f} T"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
