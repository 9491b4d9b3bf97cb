"""The page of figures: a section a command, each replaced when the command is run again."""

import os
import platform
import re
from pathlib import Path

from mezzotint.files import made, write_whole


def machine() -> str:
    """The machine in words."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"model name\s*: (.*)", cpuinfo.read_text("utf-8"))
        name = found[1] if found else name
    return (
        f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    )


def write(page: Path, text: str) -> None:
    """Put a section into a page: where the one with its title was, or else at the end.

    Args:
        page: a Markdown file; its folder and itself are made if they are not there.
        text: beginning with ``## Title``.

    Raises:
        InputError: the page cannot be written.
    """
    title = text.split("\n", 1)[0]
    report = page.read_text("utf-8") if page.exists() else "# Benchmarks\n"
    # a function, so that no backslash of the text is read as a group
    section = re.compile(rf"^{re.escape(title)}\n.*?(?=^## |\Z)", flags=re.M | re.S)
    whole, found = section.subn(lambda _: f"{text.rstrip()}\n\n", report, count=1)
    if not found:
        whole = f"{report.rstrip()}\n\n{text}"
    made(page.parent)
    write_whole(page, f"{whole.rstrip()}\n".encode())
