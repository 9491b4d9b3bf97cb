"""The code in the documentation runs as it is printed."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("page", ["diffusion.md"])
def test_the_code_of_a_page_runs_from_top_to_bottom(page: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.S)
    assert len(blocks) > 5
    names: dict[str, Any] = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for k, block in enumerate(blocks, start=1):
            assert block.count("\n") <= 25, f"{page}: block {k} is too long to be read at once"
            exec(compile(block, f"{page}, block {k}", "exec"), names)
