"""What a pickle would do, found out without doing any of it.

A pickle is a program for a stack machine, and its GLOBAL instruction fetches any Python function
there is. torch's restricted unpickler fetches none but its own; yet a few bytes can still have it
allocate terabytes, or hash a tuple that shares its halves forty levels down. So the program is run
here first on a machine that makes nothing: numbers and text stand for themselves, and everything
else is a word for what it would have been. What a state dict needs passes, nothing else does.
"""

import math
import pickletools
from dataclasses import dataclass, field
from enum import Enum
from typing import BinaryIO

from mezzotint.checkpoints.claims import shape_of, sizes_of

STORAGES = {
    **dict.fromkeys(("torch.DoubleStorage", "torch.LongStorage", "torch.ComplexFloatStorage"), 8),
    **dict.fromkeys(("torch.FloatStorage", "torch.IntStorage"), 4),
    **dict.fromkeys(("torch.HalfStorage", "torch.BFloat16Storage", "torch.ShortStorage"), 2),
    **dict.fromkeys(("torch.CharStorage", "torch.ByteStorage", "torch.BoolStorage"), 1),
    "torch.storage.UntypedStorage": 1,
}
DTYPES = {
    **dict.fromkeys(("torch.float64", "torch.int64", "torch.uint64", "torch.complex64"), 8),
    **dict.fromkeys(("torch.float32", "torch.int32", "torch.uint32"), 4),
    **dict.fromkeys(("torch.float16", "torch.bfloat16", "torch.int16", "torch.uint16"), 2),
    **dict.fromkeys(("torch.int8", "torch.uint8", "torch.bool"), 1),
    **dict.fromkeys(("torch.float8_e4m3fn", "torch.float8_e5m2", "torch.float8_e8m0fnu"), 1),
    **dict.fromkeys(("torch.float8_e4m3fnuz", "torch.float8_e5m2fnuz"), 1),
}
ORDERED = "collections.OrderedDict"
PARAMETER = "torch._utils._rebuild_parameter"
TENSOR = "torch._utils._rebuild_tensor_v2"
TENSOR_OF_DTYPE = "torch._utils._rebuild_tensor_v3"
KNOWN = {*STORAGES, *DTYPES, ORDERED, PARAMETER, TENSOR, TENSOR_OF_DTYPE}

MAX_LENGTH = 1_000_000  # instructions; a model has some forty for each tensor

Program = list[tuple[str, object]]


class Made(Enum):
    """Stands for something that a pickle would make."""

    TABLE = "a table"
    TENSOR = "a tensor"


@dataclass(frozen=True)
class Global:
    """Stands for something that a pickle would fetch by name."""

    name: str


@dataclass(frozen=True)
class Storage:
    """Stands for the bytes under one or several tensors, and the size of a number in them."""

    size: int
    item: int


@dataclass
class Survey:
    """What pickles of tensors need.

    Attributes:
        storages: the size in bytes of each, by key.
        spelled: bytes that all tensors would have if none shared any with another.
    """

    storages: dict[str, int] = field(default_factory=dict[str, int])
    spelled: int = 0

    def run(self, program: Program) -> object:
        """Run a pickle for what it needs, and return what stands for what it would make.

        Raises:
            ValueError, TypeError, LookupError: it is damaged, or does what no state dict does.
        """
        stack: list[object] = []
        outer: list[list[object]] = []
        memo: dict[object, object] = {}
        for name, argument in program:
            match name:
                case "MARK":
                    outer.append(stack)
                    stack = []
                case "TUPLE" | "SETITEMS" | "APPENDS":
                    items, stack = stack, outer.pop()
                    _gather(name, stack, items)
                case "BINPUT" | "LONG_BINPUT":
                    memo[argument] = stack[-1]
                case "BINGET" | "LONG_BINGET":
                    stack.append(memo[argument])
                case _:
                    self._step(name, argument, stack)
        return stack.pop()

    def _step(self, name: str, argument: object, stack: list[object]) -> None:
        match name:
            case "NONE" | "BINFLOAT" | "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINUNICODE":
                stack.append(argument)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(name == "NEWTRUE")
            case "GLOBAL":
                stack.append(Global(str(argument)))
            case "EMPTY_DICT":
                stack.append(Made.TABLE)
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3" | "SETITEM" | "APPEND":
                count = {"TUPLE2": 2, "SETITEM": 2, "TUPLE3": 3}.get(name, 1)
                items = stack[-count:]
                del stack[-count:]
                _gather(name, stack, items)
            case "BINPERSID":
                stack.append(self._storage(stack.pop()))
            case "REDUCE":
                arguments = stack.pop()
                stack.append(self._call(stack.pop(), arguments))
            case "BUILD":  # a state dict has an attribute, _metadata
                if stack.pop() is not Made.TABLE or stack[-1] is not Made.TABLE:
                    raise ValueError("it sets attributes of something other than a state dict")
            case "PROTO" | "STOP":
                if argument not in (None, 2):
                    raise ValueError(f"it is a pickle of protocol {argument}, not 2")
            case _:
                raise ValueError(f"it has the instruction {name}, which no state dict needs")

    def _storage(self, claim: object) -> Storage:
        if not isinstance(claim, tuple):
            raise ValueError("it refers to something other than a storage")
        word, kind, key, location, count, *view = claim
        if word != "storage" or not isinstance(key, str) or not isinstance(location, str):
            raise ValueError("it refers to something other than a storage")
        if not isinstance(kind, Global) or view not in ([], [None]):
            raise ValueError("a storage is a part of another, or of no known kind")
        item = STORAGES[kind.name]
        size = sizes_of((count,))[0] * item
        if self.storages.setdefault(key, size) != size:
            raise ValueError("a storage has two sizes")
        return Storage(size, item)

    def _call(self, function: object, arguments: object) -> Made:
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise ValueError("it calls what it has made")
        if function.name == ORDERED and not arguments:
            return Made.TABLE
        if function.name == PARAMETER:
            tensor, grad, hooks = arguments
            if tensor is Made.TENSOR and type(grad) is bool and hooks is Made.TABLE:
                return Made.TENSOR
        if function.name in (TENSOR, TENSOR_OF_DTYPE):
            storage, begin, sizes, strides, grad, hooks, *dtype = arguments
            if isinstance(storage, Storage) and type(grad) is bool and hooks is Made.TABLE:
                item = _item(storage, dtype)
                self.spelled += _extent(storage, item, (begin,), sizes, strides)
                return Made.TENSOR
        raise ValueError(f"it calls {function.name} for something other than a tensor")


def program_of(pickle: BinaryIO) -> Program:
    """The instructions of a pickle, one after the other; a GLOBAL's argument is its dotted name.

    Raises:
        ValueError: it is cut short, is too long, or has an unknown instruction.
    """
    program: Program = []
    for instruction, argument, _ in pickletools.genops(pickle):
        if instruction.name in ("GLOBAL", "INST"):
            argument = str(argument).replace(" ", ".", 1).replace("__builtin__.", "builtins.")
        program.append((instruction.name, argument))
        if len(program) > MAX_LENGTH:
            raise ValueError("it is too long to be that of tensors")
    return program


def strangers(program: Program) -> list[str]:
    """What a pickle would fetch that no state dict needs, each name once."""
    names: dict[str, None] = {}
    texts: list[str] = []
    for name, argument in program:
        if isinstance(argument, str):
            texts.append(argument)
        if name in ("GLOBAL", "INST"):
            names[str(argument)] = None
        elif name == "STACK_GLOBAL":  # it takes the last two texts, as pickles are written
            names[".".join(texts[-2:])] = None
    return [repr(name)[1:-1][:100] for name in names if name not in KNOWN]


def _gather(name: str, stack: list[object], items: list[object]) -> None:
    """Put the topmost items into the tuple, list or table that holds them."""
    if name.startswith("TUPLE"):
        stack.append(tuple(items))
    elif name.startswith("APPEND"):
        holder = stack[-1]
        if not isinstance(holder, list):
            raise ValueError("it appends to something other than a list")
        holder.extend(items)
    elif stack[-1] is not Made.TABLE or not all(type(key) in (str, int) for key in items[::2]):
        raise ValueError("it sets items by something other than text and numbers")


def _item(storage: Storage, dtype: list[object]) -> int:
    if not dtype:
        return storage.item
    (number,) = dtype
    if not isinstance(number, Global):
        raise ValueError("a tensor has no dtype")
    return DTYPES[number.name]


def _extent(
    storage: Storage, item: int, begin: tuple[object], sizes: object, strides: object
) -> int:
    """The bytes of a tensor that lies within its storage."""
    shape, steps = shape_of(sizes), sizes_of(strides)
    last = sizes_of(begin)[0] + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
    count = math.prod(shape)
    if count and (last + 1) * item > storage.size:
        raise ValueError("a tensor reaches beyond its storage")
    return count * item
