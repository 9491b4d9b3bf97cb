"""JSON that comes from anywhere: a picture's text, a page's request."""

import json
from typing import Any, cast


def parsed(text: str | bytes) -> Any:
    """What a text says; halves of surrogate pairs, which no file or answer can hold, are replaced.

    Raises:
        ValueError: it is no JSON, or nested deeper than anybody has reason to.
    """
    try:
        return _whole(json.loads(text))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _whole(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case list():
            return [_whole(each) for each in cast("list[Any]", value)]
        case dict():
            table = cast("dict[str, Any]", value)
            return {_whole(name): _whole(each) for name, each in table.items()}
        case _:
            return value
