"""Which of two pictures of one prompt is better: asked, kept, and told for a training.

Pairs like these are what reward models and direct preference optimisation learn from (Bradley &
Terry 1952; Wallace et al. 2311.12908). Both recipes are kept with each, so that it outlives its
pictures, which can be made again.
"""

import json
import random
import time
from collections.abc import Iterator
from typing import Any

from mezzotint.errors import InputError
from mezzotint.lab.studio.gallery import Gallery
from mezzotint.lab.studio.tables import Entry

NEAR = 40  # newest pairs of which one is asked about

_PAIRS = """
SELECT one.id AS one, other.id AS other
FROM pictures AS one JOIN pictures AS other
    ON one.prompt = other.prompt AND one.number < other.number AND one.kind = other.kind
WHERE one.deleted IS NULL AND other.deleted IS NULL AND one.kind = 'picture' AND one.prompt != ''
    AND one.recipe != other.recipe
    AND NOT EXISTS (
        SELECT 1 FROM preferences AS said
        WHERE said.one = min(one.id, other.id) AND said.other = max(one.id, other.id)
    )
ORDER BY other.number DESC, one.number DESC LIMIT ?
"""


def pair(gallery: Gallery) -> tuple[Entry, Entry] | None:
    """Two pictures of one prompt that nobody has compared yet, in no order; None without any."""
    rows = gallery.asked(_PAIRS, (NEAR,))
    if not rows:
        return None
    row = random.choice(rows)
    both = [row["one"], row["other"]]
    random.shuffle(both)  # people like the left one better
    return gallery.find(both[0]), gallery.find(both[1])


def prefer(gallery: Gallery, better: str, worse: str, prompt: str | None = None) -> None:
    """Keep that one picture is a better one of their prompt; what was said before no longer counts.

    Raises:
        InputError: one is not there, or they are the same, or of other prompts.
    """
    one, other = gallery.find(better), gallery.find(worse)
    if one.id == other.id:
        raise InputError("better and worse are one picture: give two")
    if one.prompt != other.prompt or prompt not in (None, one.prompt):
        raise InputError("the two pictures are of different prompts: compare two of the same")
    told = json.dumps({"better": _side(one), "worse": _side(other)}, ensure_ascii=False)
    first, second = sorted((one.id, other.id))
    with gallery.changing() as database:
        database.execute(
            "INSERT OR REPLACE INTO preferences VALUES (?, ?, ?, ?, ?, ?, ?)",
            (time.time(), one.prompt, one.id, other.id, told, first, second),
        )


def exported(gallery: Gallery) -> Iterator[str]:
    """Every preference as a line of JSON, oldest first: prompt, better, worse, and when."""
    for row in gallery.asked("SELECT made, prompt, told FROM preferences ORDER BY made"):
        line: dict[str, Any] = {"prompt": row["prompt"], **json.loads(row["told"])}
        yield json.dumps({**line, "made": row["made"]}, ensure_ascii=False) + "\n"


def _side(entry: Entry) -> dict[str, Any]:
    return {"id": entry.id, "recipe": entry.recipe, "settings": dict(entry.settings)}
