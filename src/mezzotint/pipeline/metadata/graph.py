"""A ComfyUI graph: nodes with inputs, some of which are links to other nodes' outputs.

Graphs come from anywhere, so they may be of any shape: links may lead nowhere or in circles.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from mezzotint.errors import InputError
from mezzotint.foreign import parsed

MAX_NODES, MAX_LINKS = 10_000, 100_000
MAX_DEPTH = 50  # of nodes that pass a number or a text on

Link: TypeAlias = tuple[str, int]
"""A node's id, and which of its outputs."""

ZERO = "ConditioningZeroOut"
POSITIVE, NEGATIVE = 1, 2
_PASSED_ON = "value", "text", "string", "prompt", "seed", "noise_seed", "int", "float", "number"


@dataclass(frozen=True)
class Node:
    """A node: what it does, and what it is given, a `Link` or a value of JSON."""

    id: str
    kind: str
    inputs: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.kind} (#{self.id})"


Graph: TypeAlias = Mapping[str, Node]


def read_nodes(text: str) -> Graph:
    """Read the `prompt` text of a picture.

    Raises:
        InputError: it is no graph.
    """
    try:
        table = parsed(text)
    except ValueError as error:
        raise InputError(f"its ComfyUI graph is not JSON: {str(error)[:80]}") from error
    if not isinstance(table, dict) or not table:
        raise InputError("its ComfyUI graph has no nodes")
    entries = cast("dict[str, Any]", table)
    if len(entries) > MAX_NODES:
        raise InputError(f"its ComfyUI graph has {len(entries):,} nodes, more than is read")
    graph = {key: _node(key, entry, entries) for key, entry in entries.items()}
    if sum(len(links(node)) for node in graph.values()) > MAX_LINKS:
        raise InputError(f"its ComfyUI graph has over {MAX_LINKS:,} links, more than are read")
    return graph


def links(node: Node) -> dict[str, Link]:
    """The inputs that are links."""
    return {name: value for name, value in node.inputs.items() if isinstance(value, tuple)}


def upstream(graph: Graph, start: Node, stop: Collection[str] = ()) -> Iterator[Node]:
    """A node and what it is made of, near ones first, each once; none beyond kinds in ``stop``."""
    seen, front = {start.id}, [start]
    while front:
        yield from front
        ahead = [key for node in front if node.kind not in stop for key, _ in links(node).values()]
        front = [graph[key] for key in dict.fromkeys(ahead) if key not in seen]
        seen.update(ahead)


def conditionings(graph: Graph, link: Link) -> Iterator[Node]:
    """What a conditioning is made of, near ones first, down to the nodes that encode a text.

    A node with a positive and a negative side gives out both; only the one linked to is followed.
    """
    seen, front = {_sided(graph, link)}, [_sided(graph, link)]
    while front:
        ahead: list[Link] = []
        for key, side in front:
            node, given = graph[key], links(graph[key])
            yield node
            if "clip" in given or node.kind == ZERO:
                continue
            if side:
                given = {"": given["negative" if side == NEGATIVE else "positive"]}
            ahead += (_sided(graph, each) for each in given.values())
        front = [each for each in dict.fromkeys(ahead) if each not in seen]
        seen.update(front)


def _sided(graph: Graph, link: Link) -> Link:
    """A link with the side of the node that it leads to in place of the output, 0 without sides."""
    given = links(graph[link[0]])
    if not {"positive", "negative"} <= given.keys():
        return link[0], 0
    return link[0], NEGATIVE if link[1] == 1 else POSITIVE


def scalar(graph: Graph, node: Node, name: str) -> Any:
    """A number or a text that a node is given, perhaps through others; None if there is none."""
    value = node.inputs.get(name)
    for _ in range(MAX_DEPTH):
        if not isinstance(value, tuple):
            return value if isinstance(value, str | int | float) else None
        given = graph[cast("Link", value)[0]].inputs
        value = next((given[key] for key in (name, *_PASSED_ON) if key in given), None)
    return None


def _node(key: str, entry: Any, entries: Mapping[str, Any]) -> Node:
    inputs = entry.get("inputs") if isinstance(entry, dict) else None
    if not isinstance(inputs, dict):
        raise InputError(f"its ComfyUI graph is not understood: node {key[:20]!r} has no inputs")
    given = {
        str(name): _link(value, entries) for name, value in cast("dict[str, Any]", inputs).items()
    }
    return Node(key[:40], str(cast("dict[str, Any]", entry).get("class_type", ""))[:80], given)


def _link(value: Any, entries: Mapping[str, Any]) -> Any:
    """The value, or the link that it is: a pair of a node's id and a number."""
    match value:
        case [str() | int() as key, int() as slot] if str(key) in entries:
            return str(key), slot
        case _:
            return value
