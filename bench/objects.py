"""Which objects a model draws recognisably: every one it was trained on, in four places, judged."""

from collections import Counter

import mezzotint as mz
from mezzotint.evals.asking import Ask, Wanted, fulfilled
from mezzotint.evals.judge import Judge, load
from mezzotint.evals.wording import a
from mezzotint.world import CORE

PLACES = ("in a meadow", "in the snow", "on a beach", "in a city")
PROMPTS = {name: [f"{a(name)} {place}" for place in PLACES] for name in CORE}


def recognised(pipe: mz.Pipeline, judge: Judge | None = None) -> Counter[str]:
    """In how many of its four pictures, of the seeds 1 to 4, the judge sees each object."""
    judge = judge or load()
    seen: Counter[str] = Counter()
    for name, prompts in PROMPTS.items():
        seeds = range(1, len(prompts) + 1)
        drawn = [pipe.generate(p, seed=seed) for p, seed in zip(prompts, seeds, strict=True)]
        found = judge.see([each.images[0] for each in drawn])
        seen[name] = sum(fulfilled(Ask((Wanted(name),)), one) for one in found)
    return seen


def listed(seen: Counter[str]) -> str:
    """The same in words: how many of them are seen always, and which are not."""
    whole = len(PLACES)
    rest = {
        count: sorted(name for name, times in seen.items() if times == count)
        for count in reversed(range(whole))
    }
    lines = [
        f"- {'never' if not count else f'in {count} of {whole}'}: {', '.join(names)}"
        for count, names in rest.items()
        if names
    ]
    always = sum(times == whole for times in seen.values())
    return "\n".join([f"- in all {whole}: {always} of {len(seen)}", *lines])
