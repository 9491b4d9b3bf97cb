"""What an evaluation found: as a file, as a table, and as sheets of pictures."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from PIL import Image, ImageDraw, ImageFont

from mezzotint.evals.accuracy import Report, Score
from mezzotint.evals.clip_score import CLIPScore
from mezzotint.evals.diversity import Diversity
from mezzotint.evals.fidelity import Fidelity

COLUMNS, MARGIN, LINES = 6, 8, 4


@dataclass(frozen=True)
class Drawing:
    """The model, how it drew, and how long a picture took: the median, None if nobody knows."""

    model: str
    digest: str
    steps: int
    sampler: str
    spacing: str
    cfg: float
    width: int
    height: int
    seconds: float | None


@dataclass(frozen=True)
class Evaluation:
    """All figures of a model; None for what was not asked for."""

    drawing: Drawing
    accuracy: Report | None
    fidelity: Fidelity | None
    clip: CLIPScore | None
    diversity: Diversity | None


@dataclass(frozen=True)
class Row:
    """A figure of a model, the same of true scenes, and what it would be by chance."""

    name: str
    model: str
    true: str = ""
    chance: str = ""


def as_json(evaluation: Evaluation) -> bytes:
    """The contents of `report.json`."""
    accuracy = evaluation.accuracy and evaluation.accuracy.as_json()
    told = asdict(evaluation) | {"accuracy": accuracy}
    return json.dumps(told, indent=2).encode() + b"\n"


def table(evaluation: Evaluation) -> str:
    """All figures in lines, for a terminal."""
    made = evaluation.drawing
    seconds = "" if made.seconds is None else f", {made.seconds:.2f} s a picture"
    title = (
        f"{made.model} {made.digest}, {made.width}x{made.height}: {made.steps} steps of "
        f"{made.sampler} on {made.spacing}, cfg {made.cfg:g}{seconds}"
    )
    rows = [Row("", "model", "true scenes", "by chance"), *_rows(evaluation)]
    lines = [
        f"{row.name:<28}{row.model:>16}{row.true:>14}{row.chance:>12}".rstrip() for row in rows
    ]
    return "\n".join([title, *lines])


def _rows(evaluation: Evaluation) -> Iterator[Row]:
    if judged := evaluation.accuracy:
        every = (judged.drawn, judged.ceiling, judged.floor)
        yield _shares("prompt accuracy, %", *(scores.overall for scores in every))
        for skill in judged.drawn.skills:
            yield _shares(f"  {skill}", *(scores.skills[skill] for scores in every))
    if near := evaluation.fidelity:
        drawn, floor = near.drawn, near.held_out
        ratio = drawn.frechet / floor.frechet
        yield Row("Fréchet distance", f"{drawn.frechet:.3g} ({ratio:.1f}x)", f"{floor.frechet:.3g}")
        yield Row("kernel distance", f"{drawn.kernel:.2g}", f"{floor.kernel:.2g}")
        yield Row("precision", f"{drawn.precision:.2f}", f"{floor.precision:.2f}")
        yield Row("recall", f"{drawn.recall:.2f}", f"{floor.recall:.2f}")
        yield Row("nearer than 99 % of scenes", f"{near.copied:.1%}", "1.0%")
    if score := evaluation.clip:
        measured = f"{score.drawn:.3f} ± {score.margin:.3f}"
        yield Row("CLIP score", measured, f"{score.true:.3f}", f"{score.shuffled:.3f}")
    if variety := evaluation.diversity:
        yield Row("diversity between seeds", f"{variety.ratio:.2f}", chance="1.00")


def _shares(name: str, drawn: Score, ceiling: Score, floor: Score) -> Row:
    percents = [f"{100 * score.share:.1f}" for score in (drawn, ceiling, floor)]
    interval = f"{100 * drawn.low:.0f}…{100 * drawn.high:.0f}"
    return Row(name, f"{percents[0]} ({interval})", *percents[1:])


def contact_sheet(
    pictures: Sequence[Image.Image], texts: Sequence[str], most: int = COLUMNS
) -> Image.Image:
    """Pictures of one size in rows of ``most``, a text under each."""
    width, height = pictures[0].size
    letters = max(9, width // 20)
    font = ImageFont.load_default(size=letters)
    across = max(1, int(width / letters * 1.9))
    wrapped = [textwrap.wrap(text, across)[:LINES] for text in texts]
    lines = max(map(len, wrapped))
    wide, high = width + MARGIN, height + int(lines * letters * 1.3) + MARGIN
    rows = -(-len(pictures) // most)
    columns = min(most, len(pictures))
    sheet = Image.new("RGB", (columns * wide + MARGIN, rows * high + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for k, (picture, said) in enumerate(zip(pictures, wrapped, strict=True)):
        x, y = MARGIN + k % columns * wide, MARGIN + k // columns * high
        sheet.paste(picture.convert("RGB"), (x, y))
        draw.text((x, y + height + 2), "\n".join(said), fill=(60, 60, 66), font=font, spacing=2)
    return sheet
