"""What programs of bench/ measured and lessons show: a file of each, or none where it never ran.

They take hours, so no page can measure it live, as pages do all else.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@cache
def measured(file: Path) -> Any:
    """What a file says, or None if it is not there."""
    return json.loads(file.read_text("utf-8")) if file.is_file() else None
