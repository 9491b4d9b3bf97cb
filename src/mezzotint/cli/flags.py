"""Options that several verbs take, said once: a dataclass whose fields are options."""

from collections.abc import Callable
from copy import copy
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any, get_args, get_type_hints


def flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Let the command line see each field of the dataclasses that a verb takes as its own.

    In its help they stand together, under the class's ``PANEL`` if it has one.
    """
    taken: dict[str, type] = {}
    shown: list[Parameter] = []
    for parameter in signature(verb, eval_str=True).parameters.values():
        kind = parameter.annotation
        if is_dataclass(kind) and isinstance(kind, type):
            taken[parameter.name] = kind
            shown += _fields(kind)
        else:
            shown.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))

    @wraps(verb)
    def called(**given: Any) -> None:
        groups = {
            name: kind(**{each.name: given.pop(each.name) for each in fields(kind)})
            for name, kind in taken.items()
        }
        verb(**given, **groups)

    seen = signature(verb).replace(parameters=shown)
    vars(called).update(__signature__=seen)
    called.__annotations__ = {each.name: each.annotation for each in shown}
    return called


def _fields(kind: type) -> list[Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    found: list[Parameter] = []
    for each in fields(kind):
        of, option = get_args(hints[each.name])
        told = copy(option)
        told.rich_help_panel = getattr(kind, "PANEL", None)
        shown = Annotated[of, told]
        found.append(
            Parameter(each.name, Parameter.KEYWORD_ONLY, default=each.default, annotation=shown)
        )
    return found
