"""Where the gallery is, unless somebody says otherwise."""

import os
from pathlib import Path


def default() -> Path:
    """The gallery among the user's data, as the XDG base directories have it."""
    data = os.environ.get("XDG_DATA_HOME", "")
    place = Path(data) if os.path.isabs(data) else Path.home() / ".local" / "share"
    return place / "mezzotint" / "gallery"
