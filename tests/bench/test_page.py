from pathlib import Path

import pytest

from mezzotint.bench.page import machine, write
from mezzotint.errors import InputError


def test_a_section_takes_the_place_of_the_last_one_with_its_title(tmp_path: Path):
    page = tmp_path / "docs" / "benchmarks.md"
    write(page, "## One × two\n\nold\n")
    write(page, "## Another\n\nstays\n")
    write(page, "## One × two\n\nnew\n")
    write(page, "## One × two, and more\n\nis another title\n")
    text = page.read_text("utf-8")
    assert text == (
        "# Benchmarks\n\n## One × two\n\nnew\n\n## Another\n\nstays\n\n"
        "## One × two, and more\n\nis another title\n"
    )


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "docs").write_text("in the way")
    with pytest.raises(InputError, match="docs"):
        write(tmp_path / "docs" / "page.md", "## A\n")


def test_the_machine_is_told_in_a_line():
    assert "cores" in machine()
    assert "\n" not in machine()
