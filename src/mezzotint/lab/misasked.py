"""What is wrong with a query, in one line: the field, what was given, and what would be right."""

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 40  # characters of what was given

_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_KINDS = {
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_parsing": "true or false",
}


def why(errors: Sequence[Mapping[str, Any]]) -> str:
    """The first of pydantic's errors."""
    kind, given, place = (errors[0][name] for name in ("type", "input", "loc"))
    told: Mapping[str, Any] = errors[0].get("ctx", {})
    name = str(place[min(1, len(place) - 1)])[:SHOWN]
    match kind:
        case "missing":
            return f"{name} is missing: give one"
        case "extra_forbidden":
            return f"unknown {name!r}: this is not asked for here"
        case "string_too_long":
            return f"{name} of {len(given):,} characters: give at most {told['max_length']:,}"
        case "too_long":
            return f"{name}, {len(given)} of them: give at most {told['max_length']}"
        case "too_short":
            return f"{name}, {len(given)} of them: give at least {told['min_length']}"
        case "literal_error":
            right = str(told["expected"])
        case _ if kind in _BOUNDS:
            bound, words = _BOUNDS[kind]
            right = f"{words} {told[bound]:,}".removesuffix(".0")
        case _:
            right = _KINDS.get(kind, "another")
    return f"{name} {str(given)[:SHOWN]!r}: give {right}"
