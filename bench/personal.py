"""Characters and a style made the model's own, by every method: `python bench/personal.py`.

Draws four scenes of each of two kinds that the embedded model was not trained on, and sixteen in
one style, as a user's pictures would be, with a caption beside each. Trains a LoRA, DreamBooth with
prior preservation and without, and a textual inversion on each character, and a LoRA on the style.
Writes list.toml into --out, which `python bench/steering.py --list` measures. What has been trained
is not trained again, and a run that was stopped goes on; how long that one took is not known then.
`--steps 2` is a dry run.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from PIL import Image

import mezzotint as mz
from mezzotint.evals.wording import PLACES_SAID, a, where
from mezzotint.families.storybook import STORYBOOK
from mezzotint.files import made, write_whole
from mezzotint.pipeline.metadata import png
from mezzotint.training.run import run
from mezzotint.world import Scene, character_scenes, render, sample_scene

SEED = 11
PICTURES, STYLED = 4, 16
STYLE, MANNER = "ink", "jfd style"

Table = dict[str, Any]


@dataclass(frozen=True)
class Character:
    """A kind that the model has not seen.

    Attributes:
        name: of it.
        kin: a kind that the model draws, whose class it is of.
        new: the word for it, which means nothing to the model.
    """

    name: str
    kin: str
    new: str

    @property
    def phrase(self) -> str:
        """What captions and prompts call it."""
        return f"a {self.new} {self.kin}"

    @property
    def methods(self) -> dict[str, tuple[str, Table]]:
        """The recipe of each method, and what is set in it."""
        instance = {"instance": self.phrase}
        return {
            "LoRA": ("lora", {}),
            "DreamBooth without prior": ("dreambooth", {**instance, "prior_weight": 0.0}),
            "DreamBooth": ("dreambooth", {**instance, "class_prompt": a(self.kin)}),
            "textual inversion": (
                "textual-inversion",
                {"word": f"{self.new}-{self.name}", "initial": self.kin},
            ),
        }


CHARACTERS = (
    Character("parrot", "bird", "zwx"),
    Character("brontosaurus", "dinosaur", "qvk"),
)


def album(folder: Path, scenes: list[Scene], said: list[str]) -> Path:
    """Write scenes as pictures, with texts beside them."""
    made(folder)
    for k, (scene, text) in enumerate(zip(scenes, said, strict=True)):
        write_whole(folder / f"{k}.png", png(Image.fromarray(render(scene, STORYBOOK.size))))
        write_whole(folder / f"{k}.txt", text.encode())
    return folder


def styled_scenes() -> list[Scene]:
    """Scenes of one thing each, in the style."""
    some = (sample_scene(seed, "single") for seed in count(SEED))
    plain = (each for each in some if len(each.things) == 1 and each.place in PLACES_SAID)
    return [replace(each, style=STYLE) for each in islice(plain, STYLED)]


def learn(recipe: str, data: Path, out: Path, settings: Table, steps: Table) -> tuple[Path, float]:
    """Train, and return the file and the minutes; 0 if a part of them was spent before."""
    begun, before = time.perf_counter(), out.exists()
    run(recipe, data=data, out=out, task=settings, **steps)
    (file,) = (out / "export").glob("*.safetensors")
    return file, 0.0 if before else round((time.perf_counter() - begun) / 60, 1)


def listed(kind: str, table: Table) -> str:
    """A table of a list, in TOML."""
    return "\n".join([f"[[{kind}]]", *(f"{key} = {json.dumps(v)}" for key, v in table.items())])


def learned(home: Path, recipe: str, data: Path, table: Table, settings: Table, to: Table) -> str:
    """Learn one adapter, unless that has been done, and return its table of the list."""
    slug = table["name"].lower().replace(" ", "-")
    entry = home / f"{slug}.toml"
    if not entry.exists():
        file, minutes = learn(recipe, data, home / slug, settings, to)
        table = {**table, "file": str(file.relative_to(home)), "minutes": minutes}
        write_whole(entry, listed("adapter", table).encode())
    return entry.read_text(encoding="utf-8")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--steps", type=int, help="of every run; each recipe's own by default")
    options.add_argument("--out", type=Path, default=Path("runs/personal"))
    args = options.parse_args()
    home, to = args.out, {} if args.steps is None else {"steps": args.steps}
    tables: list[str] = []
    for one in CHARACTERS:
        scenes = character_scenes(one.name, PICTURES, SEED)
        data = album(
            home / one.name,
            scenes,
            [f"{one.phrase} {where(each.place, each.hour)}" for each in scenes],
        )
        for name, (recipe, settings) in one.methods.items():
            table = {
                "name": f"{one.name} by {name}",
                "method": recipe,
                "prior": "class_prompt" in settings,
                "word": settings.get("word", one.phrase),
                "character": one.name,
                "kin": one.kin,
            }
            tables.append(learned(home, recipe, data, table, settings, to))
    scenes = styled_scenes()
    said = [f"{a(each.things[0].name)} {where(each.place, each.hour)}, {MANNER}" for each in scenes]
    name = f"{STYLE} by LoRA"
    table = {"name": name, "method": "lora", "prior": False, "word": MANNER, "style": STYLE}
    tables.append(learned(home, "lora", album(home / STYLE, scenes, said), table, {}, to))
    first, second = (f"{one.name} by LoRA" for one in CHARACTERS)
    tables += [listed("stacked", {"of": [first, other]}) for other in (name, second)]
    write_whole(home / "list.toml", ("\n\n".join(tables) + "\n").encode())
    print(home / "list.toml")


if __name__ == "__main__":
    try:
        main()
    except mz.InputError as error:
        raise SystemExit(f"Error: {error}") from error
