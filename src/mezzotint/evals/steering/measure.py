"""Everything that a model's controls are measured by, control after control."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from mezzotint.adapters.controlnet import CONTROL
from mezzotint.adapters.controlnet import KINDS as MAPS
from mezzotint.adapters.ip_adapter import OWN
from mezzotint.errors import InputError, choose
from mezzotint.evals.features import Features
from mezzotint.evals.judge import Judge
from mezzotint.evals.skills import Prompt
from mezzotint.evals.steering.controls import Kind, depth_kind, edge_kind, follow, layout_kind
from mezzotint.evals.steering.depth import DepthEye
from mezzotint.evals.steering.edits import edit_all, edit_cases
from mezzotint.evals.steering.findings import Section
from mezzotint.evals.steering.inpainting import Hole, holes, paint_in
from mezzotint.evals.steering.likeness import Showing, manners, show_content, show_style, views
from mezzotint.evals.steering.personal import Personal, personalised, settings, stacked
from mezzotint.evals.steering.studio import (
    Part,
    Studio,
    Worn,
    control,
    image_prompt,
    low_rank,
    new_word,
)
from mezzotint.evals.steering.truth import Codec, cases, codec
from mezzotint.families.storybook import INSTRUCT, LORAS

FILES = {
    **dict.fromkeys(MAPS, CONTROL),
    "instruct": LORAS[INSTRUCT],
    **OWN,
}
"""The file of a model's folder that each of its controls is in."""

TITLES = {
    "instruct": "instruction edits",
    "content": "IP-Adapter, content",
    "style": "IP-Adapter, style",
}
"""What sections are called where that says more than the control's name."""


@dataclass(frozen=True)
class Counts:
    """How many pictures to draw.

    Attributes:
        prompts: for each control by a map or a picture, and of the rest of what an adapter knows.
        holes: to paint in.
        edits: of each kind of change.
        settings: for each adapter that was made one's own.
    """

    prompts: int
    holes: int
    edits: int
    settings: int


@dataclass(frozen=True)
class Tools:
    """What it is measured with.

    Attributes:
        judge: says what pictures show.
        features: what pictures are compared in.
        eye: sees depth; None leaves depth unmeasured.
    """

    judge: Judge
    features: Features
    eye: DepthEye | None


def found(folder: Path, named: dict[str, str]) -> dict[str, Part]:
    """The controls in a model's folder, and those that are named instead of them.

    Raises:
        InputError: a control is unknown, or a file that is named is not there.
    """
    parts: dict[str, Part] = {}
    for kind, file in FILES.items():
        path = folder / file
        name = f"{folder}#{kind}" if file in (CONTROL, LORAS[INSTRUCT]) else str(path)
        parts |= {kind: Part(name, path)} if path.exists() else {}
    for kind, name in named.items():
        choose("control", kind, FILES)
        path = Path(name.rpartition("#")[0] or name)
        if not path.exists():
            raise InputError(f"{kind}: there is no {path}")
        parts[kind] = Part(name, path)
    return parts


@dataclass(frozen=True)
class Measurement:
    """Measures a model's controls.

    Attributes:
        studio: draws with the model.
        instructed: edits by instruction; None if there is no such model.
        tools: what it is measured with.
        parts: its controls, as ``found`` tells.
        counts: how many pictures.
    """

    studio: Studio
    instructed: Studio | None
    tools: Tools
    parts: dict[str, Part]
    counts: Counts

    def controls(self) -> Iterator[Section]:
        """A section a control; a note for what is not there, or cannot be measured."""
        studio, judge, counts, size = self.studio, self.tools.judge, self.counts, self.studio.size
        through = codec(studio.pipe.model)
        yield self._mapped("edges", lambda: edge_kind(size))
        yield self._mapped("depth", self._by_depth)
        yield self._mapped("boxes", lambda: layout_kind(judge))
        yield _tried(
            "inpainting",
            lambda: paint_in(self._paint, judge, holes(counts.holes, size), through),
        )
        yield self._instructed(through)
        yield self._there(
            "content",
            lambda part: show_content(
                self._shown(part), self.tools.features, views(counts.prompts), through, size
            ),
        )
        yield self._there(
            "style",
            lambda part: show_style(
                self._shown(part), judge, manners(counts.prompts), through, size
            ),
        )

    def personal(self, adapter: Personal) -> Section:
        """What was made one's own by one adapter; of a style there is nothing but its stacking."""
        if not adapter.character:
            return Section(adapter.name, f"a style, {adapter.style}: measured where it is stacked")
        studio, tools, counts = self.studio, self.tools, self.counts

        def measure() -> Section:
            own = _worn(adapter)
            return personalised(
                adapter,
                lambda prompt, seed: studio.draw(prompt, seed, own),
                studio.draw,
                tools.features,
                tools.judge,
                settings(counts.settings),
                cases(counts.prompts),
                studio.size,
            )

        return _tried(adapter.name, measure)

    def stack(self, pair: tuple[Personal, Personal]) -> Section:
        """What is left of two adapters' effects where both are in use."""

        def draw(worn: Sequence[Personal], prompt: str, seed: int) -> Image.Image:
            return self.studio.draw(prompt, seed, *map(_worn, worn))

        asked = settings(self.counts.settings, styled=False)
        return _tried(
            "stacked: " + " and ".join(each.name for each in pair),
            lambda: stacked(
                pair, draw, self.tools.features, self.tools.judge, asked, self.studio.size
            ),
        )

    def _mapped(self, name: str, kind: Callable[[], Kind]) -> Section:
        def measure(part: Part) -> Section:
            def draw(case: Prompt, condition: Image.Image | None) -> Image.Image:
                worn = [control(part, condition)] if condition else []
                return self.studio.draw(case.text, case.seed, *worn)

            asked, through = cases(self.counts.prompts), codec(self.studio.pipe.model)
            return follow(kind(), draw, asked, self.tools.judge, through, self.studio.size)

        return self._there(name, measure)

    def _by_depth(self) -> Kind:
        if self.tools.eye is None:
            raise InputError("depth is seen by a network that recipe depth trains: name its file")
        return depth_kind(self.tools.eye)

    def _paint(self, hole: Hole) -> Image.Image:
        return self.studio.edit(hole.before, hole.prompt.text, hole.prompt.seed, mask=hole.mask)

    def _instructed(self, through: Codec) -> Section:
        studio = self.instructed
        if studio is None:
            return _missing("instruct")

        def edit(picture: Image.Image, words: str, seed: int) -> Image.Image:
            return studio.edit(picture, words, seed, instruct=True)

        asked = edit_cases(self.counts.edits)
        return _tried(
            TITLES["instruct"],
            lambda: edit_all(edit, self.tools.judge, asked, through, studio.size),
        )

    def _shown(self, part: Part) -> Showing:
        def draw(prompt: str, seed: int, picture: Image.Image | None) -> Image.Image:
            worn = [image_prompt(part, picture)] if picture else []
            return self.studio.draw(prompt, seed, *worn)

        return draw

    def _there(self, name: str, measure: Callable[[Part], Section]) -> Section:
        part = self.parts.get(name)
        if part is None:
            return _missing(name)
        return _tried(TITLES.get(name, name), lambda: measure(part))


def _missing(name: str) -> Section:
    note = f"not there: the model's folder has no {FILES[name]}"
    return Section(TITLES.get(name, name), note)


def _worn(adapter: Personal) -> Worn:
    file = Path(adapter.file)
    if adapter.method == "textual-inversion":
        return new_word(file, adapter.word)
    return low_rank(file)


def _tried(name: str, measure: Callable[[], Section]) -> Section:
    """What was measured, or why it was not: one control that fails costs no other its hours."""
    try:
        return measure()
    except InputError as error:
        return Section(name, f"not measured: {error}")
