"""Measure contestants in turn, each in a process of its own, and write what was found.

Round after round everyone draws once, in the opposite order every other time, so that whatever else
the machine does meets all alike. What is measured is kept beside the page until it is written: the
same command goes on after a run that was stopped.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mezzotint import __version__
from mezzotint.bench import contestants as who
from mezzotint.bench import page
from mezzotint.bench.contestants import Contestant
from mezzotint.bench.figures import Ceilings, Run, Works, keep, kept
from mezzotint.bench.report import Entry, Findings, section
from mezzotint.bench.shapes import SHAPES, fits
from mezzotint.bench.stage import Settings, Stage, count_work, measure_ceilings
from mezzotint.errors import choose

SLACK, START = 2.0, 12.0  # of an estimate: from the ceilings; seconds to import and load

Tick = Callable[[str, int, int], None]
"""Told what is being done, and how much of how much is."""


def bench(settings: Settings, out: Path, say: Callable[[str], None], tick: Tick) -> None:
    """Measure everything and write a section a shape into the page ``out``.

    Raises:
        InputError: there is no such shape, the page cannot be written, a model cannot be made, or
            an interpreter does not run.
    """
    for name in settings.shapes:
        choose("shape", name, SHAPES)
    found = who.versions(settings.python, settings.contestants)
    ceilings = measure_ceilings()
    works = {name: count_work(name) for name in settings.shapes}
    say(f"this takes about {_minutes(settings, ceilings, works, found):.0f} min")
    versions = ", ".join(f"{of} {number}" for of, number in found.items() if number)
    versions = ", ".join(filter(None, [f"torch {version('torch')}", versions]))
    file = out.with_suffix(".rounds.json")
    asked = _asked(settings, ceilings, found)
    runs = kept(file, asked)
    for name in settings.shapes:
        missing = {
            each.name: who.absence(each, SHAPES[name], ceilings.device, found, settings.sdcpp)
            for each in settings.contestants
        }
        have = {(run.contestant, run.round) for run in runs if run.shape == name}
        there = [each for each in settings.contestants if not missing[each.name]]
        if there := unfinished(there, settings.rounds, have):
            with tempfile.TemporaryDirectory(prefix="mezzotint-bench-") as folder:
                stage = Stage(Path(folder), name, settings, ceilings)
                missing |= stage.prepare(there)
                there = [each for each in there if not missing[each.name]]
                for best in _rounds(
                    stage, turns(there, settings.rounds, have), missing, runs, tick
                ):
                    keep(file, asked, runs)
                    ceilings = best
        mine = [run for run in runs if run.shape == name]
        findings = _findings(name, settings, ceilings, works[name], mine, missing, versions)
        page.write(out, section(findings))
    file.unlink(missing_ok=True)


def turns(
    contestants: Sequence[Contestant], rounds: int, have: set[tuple[str, int]]
) -> Iterator[tuple[int, Contestant]]:
    """Who draws when: round 0 to warm up, then those that count, each the other way round.

    Args:
        contestants: the reference first.
        rounds: that count.
        have: names and rounds that are not needed again; who has all of them need not warm up.
    """
    left = unfinished(contestants, rounds, have)
    for number in range(rounds + 1):
        backwards = number > 0 and number % 2 == 0
        for each in reversed(left) if backwards else left:
            if (each.name, number) not in have:
                yield number, each


def unfinished(
    contestants: Sequence[Contestant], rounds: int, have: set[tuple[str, int]]
) -> list[Contestant]:
    """Those who have a round to draw in."""
    wanted = range(1, rounds + 1)
    return [c for c in contestants if any((c.name, number) not in have for number in wanted)]


def _rounds(
    stage: Stage,
    turns: Iterator[tuple[int, Contestant]],
    missing: dict[str, str],
    runs: list[Run],
    tick: Tick,
) -> Iterator[Ceilings]:
    """Let everyone draw; after each, ``runs`` has its turn, and the ceilings so far are given."""
    order, ceilings, at = list(turns), stage.ceilings, 0
    for done, (number, each) in enumerate(order, 1):
        if number > at:
            at, ceilings = number, ceilings | measure_ceilings()
        if not missing[each.name]:
            run = stage.draw(each, number)
            runs.append(run)
            if run.error:
                missing[each.name] = f"failed: {run.error}"
        tick(stage.name, done, len(order))
        yield ceilings


def _minutes(
    settings: Settings,
    ceilings: Ceilings,
    works: Mapping[str, Works],
    found: Mapping[str, str | None],
) -> float:
    """About how long a run takes, told from its FLOPs."""
    seconds = 0.0
    for name, work in works.items():
        shape = SHAPES[name]
        for each in settings.contestants:
            if who.absence(each, shape, ceilings.device, found, settings.sdcpp):
                continue
            dtype = "fp32" if each.dtype == "fp32" else "bf16"
            step, decode = (ceilings.least(work[kind], dtype) or 0 for kind in ("step", "decode"))
            slack = SLACK * (10 if each.kind is who.SDCPP else 1)
            picture = START + slack * 2 * decode
            steps = each.warm_up + settings.rounds * (settings.steps or shape.steps)
            seconds += (settings.rounds + 1) * picture + slack * steps * step
    return max(1.0, seconds / 60)


def _asked(
    settings: Settings, ceilings: Ceilings, found: Mapping[str, str | None]
) -> dict[str, Any]:
    """What a run that goes on has to have in common with the one that was stopped."""
    return {
        "version": __version__,
        "machine": page.machine(),
        "device": [ceilings.device, ceilings.name, ceilings.threads],
        "shapes": list(settings.shapes),
        "contestants": [each.name for each in settings.contestants],
        "rounds": settings.rounds,
        "steps": settings.steps,
        "installed": dict(found),
        "sdcpp": str(settings.sdcpp),
    }


def _findings(
    name: str,
    settings: Settings,
    ceilings: Ceilings,
    works: Works,
    runs: Sequence[Run],
    missing: Mapping[str, str],
    versions: str,
) -> Findings:
    return Findings(
        shape=SHAPES[name],
        whole=fits(SHAPES[name]),
        steps=settings.steps or SHAPES[name].steps,
        rounds=settings.rounds,
        ceilings=ceilings,
        works=works,
        entries=[
            Entry(
                each,
                missing[each.name],
                [run for run in runs if run.contestant == each.name],
            )
            for each in settings.contestants
        ],
        machine=page.machine(),
        versions=versions,
    )
