"""The other models in the folder of the one at hand: its denoisers, and those of its LoRAs."""

from functools import lru_cache

from mezzotint.errors import InputError, choose
from mezzotint.families import storybook
from mezzotint.pipeline.load import EMBEDDED, load, named
from mezzotint.pipeline.pipeline import Pipeline

KEPT = 3  # that are held beside the one at hand


@lru_cache(maxsize=KEPT)
def variants(source: str) -> tuple[str, ...]:
    """All models in the folder that ``source`` names, as ``mz.load`` takes them.

    There are none beside it in other kinds of files.
    """
    try:
        path, _ = named(source)
        found = storybook.variants(path)
    except InputError:
        return ()
    embedded = next((name for name, place in EMBEDDED.items() if place == path), None)
    base = f"{embedded}-" if embedded else f"{path}#"
    return tuple(base + variant for variant in found)


def chosen(pipe: Pipeline, variant: str) -> Pipeline:
    """The one at hand, or a variant of it.

    Raises:
        InputError: it has no such variant; no other name is looked up.
    """
    if variant in ("", pipe.source):
        return pipe
    choose("variant", variant, {each: each for each in variants(pipe.source)})
    return _loaded(variant, str(pipe.model.device))


@lru_cache(maxsize=KEPT)
def _loaded(name: str, device: str) -> Pipeline:
    return load(name, device=device)
