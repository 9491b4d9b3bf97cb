"""Pictures side by side on a sheet of paper, with what was changed beside them."""

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

MOST_PIXELS = 40_000_000
GAP, TEXT = 8, 16  # pixels
PAPER, INK = "white", "black"

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def sheet(
    pictures: Mapping[tuple[int, int], Image.Image], columns: Sequence[str], rows: Sequence[str]
) -> Image.Image:
    """A picture of pictures.

    Args:
        pictures: by (column, row); smaller ones than the largest stand in the middle of their
            places, and all are shrunk if the sheet would be too large.
        columns, rows: what stands above and at the left; no room is left for what is empty.
    """
    width = max(each.width for each in pictures.values())
    height = max(each.height for each in pictures.values())
    scale = min(1.0, (MOST_PIXELS / (width * height * len(columns) * len(rows))) ** 0.5)
    width, height = max(round(width * scale), 1), max(round(height * scale), 1)
    font = ImageFont.load_default(TEXT)
    left = min(max((_long(font, each) for each in rows), default=0), 2 * width)
    left += 2 * GAP if left else GAP
    top = TEXT + 2 * GAP if any(columns) else GAP
    across, down = width + GAP, height + GAP
    size = left + across * len(columns), top + down * len(rows)
    paper = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(paper)
    for x, label in enumerate(columns):
        place = left + across * x + width // 2, top - GAP // 2
        draw.text(place, _fitted(font, label, width), INK, font, anchor="md")
    for y, label in enumerate(rows):
        place = left - GAP, top + down * y + height // 2
        draw.text(place, _fitted(font, label, left - GAP), INK, font, anchor="rm")
    for (x, y), picture in pictures.items():
        own = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
        shown = picture if own == picture.size else picture.resize(own, Image.Resampling.LANCZOS)
        middle = (width - own[0]) // 2, (height - own[1]) // 2
        paper.paste(shown, (left + across * x + middle[0], top + down * y + middle[1]))
    return paper


def _long(font: Font, text: str) -> int:
    return round(font.getlength(text))


def _fitted(font: Font, text: str, width: int) -> str:
    """As much of a line of text as there is room for."""
    text = " ".join(text.split())
    if _long(font, text) <= width:
        return text
    while text and _long(font, text + "…") > width:
        text = text[:-1]
    return text + "…" if text else ""
