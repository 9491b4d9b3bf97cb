"""What was found of a model's controls, as a page of Markdown with sheets of pictures."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from mezzotint.evals.report import contact_sheet
from mezzotint.evals.steering.findings import Section
from mezzotint.files import made, write_whole

SIDE = 128  # pixels of a picture on a sheet
HEAD = "| | found (95 %) | true pictures | by chance | to reach |\n|---|---|---|---|---|"


def table(section: Section) -> str:
    """A section's figures, a row each."""
    rows = (" | ".join(finding.cells) for finding in section.findings)
    return "\n".join([HEAD, *(f"| {row} |" for row in rows)])


def compared(sections: Sequence[Section]) -> str:
    """Sections of the same figures beside one another, a row each, with their notes."""
    there = [section for section in sections if section.there]
    if not there:
        return ""
    names = [finding.what for finding in there[0].findings]
    lines = [f"| | how | {' | '.join(names)} |", "|" + "---|" * (len(names) + 2)]
    for section in there:
        cells = " | ".join(finding.cells[1] for finding in section.findings)
        lines.append(f"| {section.name} | {section.note} | {cells} |")
    for k, said in ((2, "true pictures"), (3, "by chance")):
        cells = " | ".join(finding.cells[k] for finding in there[0].findings)
        lines.append(f"| *{said}* | | {cells} |")
    return "\n".join(lines)


def write_sheet(section: Section, folder: Path) -> str:
    """Write a section's pictures, and return the Markdown that shows them; "" if it has none.

    Raises:
        InputError: the folder cannot be written.
    """
    if not section.shown:
        return ""
    pictures = [
        image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        for image, _ in section.shown
    ]
    sheet = contact_sheet(pictures, [text for _, text in section.shown])
    data = io.BytesIO()
    sheet.save(data, "JPEG", quality=85)
    name = re.sub(r"[^a-z0-9]+", "-", section.name.lower()).strip("-") + ".jpg"
    write_whole(made(folder) / name, data.getvalue())
    return f"![{section.name}]({folder.name}/{name})"


def page(title: str, sections: Sequence[Section], own: Sequence[Section], folder: Path) -> str:
    """The whole page, its sheets written to ``folder`` beside it.

    Args:
        title: its head, above the first section.
        sections: controls, and stacks of adapters.
        own: adapters that were made one's own, which are told beside one another.
        folder: of the sheets.

    Raises:
        InputError: the folder cannot be written.
    """
    parts = [title.strip()]
    for section in sections:
        parts += [f"## {section.name[0].upper()}{section.name[1:]}", section.note]
        parts += [table(section), write_sheet(section, folder)] if section.there else []
    if own:
        parts += ["## Made one's own", compared(own)]
        parts += [f"{each.name}: {each.note}" for each in own if not each.there]
        parts += [f"**{each.name}**\n\n{write_sheet(each, folder)}" for each in own if each.there]
    return "\n\n".join(part for part in parts if part) + "\n"
