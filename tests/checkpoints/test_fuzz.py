"""Ten thousand damaged files: each is read or refused in one line; none runs, hangs or bloats.

Every file is made from a sound one by a mutation that a seed decides, so a failure can be made
again. While they are read the process may not grow by more than a quarter of a gigabyte, and a
file has two seconds of the processor.
"""

import io
import json
import pickle
import random
import resource
import signal
import struct
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gguf
import numpy as np
import pytest
import safetensors.torch
import torch

from mezzotint.checkpoints.header import read_header
from mezzotint.checkpoints.reader import open_tensors
from mezzotint.errors import InputError

FILES = {"safetensors": 4000, "gguf": 3000, "zip": 1500, "legacy": 1000, "index": 500}
SECONDS = 2
GROWTH = 256 << 20  # bytes
CANARY = "canary-of-the-fuzz-test"

Rng = random.Random
NUMBERS = [-1, 0, 1, 3, 2**31, 2**32 - 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 10**400]
NONSENSE = [None, True, 1.5, 1e308, float("inf"), float("nan"), "", "F32", "\n", "\ud800", [], {}]


class Sings:
    """Pickles as a call that leaves a file behind, were it made."""

    def __init__(self, call: tuple[Callable[..., object], tuple[object, ...]]) -> None:
        self.call = call

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


def calls() -> list[Sings]:
    import os
    import subprocess

    python = f"open({CANARY!r}, 'w').close()"
    return [
        Sings((os.system, (f"touch {CANARY}",))),
        Sings((subprocess.Popen, (["touch", CANARY],))),
        Sings((eval, (python,))),
        Sings((exec, (python,))),
        Sings((open, (CANARY, "w"))),
        Sings((bytearray, (10**13,))),
        Sings((torch.UntypedStorage, (10**13,))),
        Sings((torch.load, (CANARY,))),
    ]


def flipped(data: bytes, rng: Rng, reach: int) -> bytes:
    """Bytes changed within the first ``reach``."""
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(min(reach, len(data)))
        damaged[at] = rng.choice((damaged[at] ^ 1 << rng.randrange(8), rng.randrange(256), 0, 255))
    return bytes(damaged)


def resized(data: bytes, rng: Rng) -> bytes:
    """Cut short, made longer, or with bytes taken out or put in."""
    at, count = rng.randrange(len(data)), rng.choice((1, 8, 100))
    some = rng.choice((rng.randbytes(count), bytes(count), data[:count]))
    return rng.choice(
        (data[:at], data + some, data[:at] + data[at + count :], data[:at] + some + data[at:])
    )


def numbered(data: bytes, rng: Rng, reach: int) -> bytes:
    """With a number that is too large, too small or otherwise trouble in the place of another."""
    at = rng.randrange(min(reach, len(data)))
    number = struct.pack("<Q", rng.choice(NUMBERS) % 2**64)[: rng.choice((4, 8))]
    return data[:at] + number + data[at + len(number) :]


def twisted(value: object, rng: Rng) -> object:
    """JSON with something in it that does not belong there."""
    if rng.random() < 0.3 or not isinstance(value, (dict, list)) or not value:
        deep: object = rng.choice((rng.choice(NUMBERS), rng.choice(NONSENSE)))
        for _ in range(rng.choice((0, 0, 0, 2, 300))):
            deep = rng.choice(([deep], {"a": deep}))
        return deep
    if isinstance(value, list):
        at = rng.randrange(len(value))
        return [*value[:at], twisted(value[at], rng), *value[at + rng.choice((0, 1)) :]]
    key = rng.choice([*value])
    table = dict(value)
    table[rng.choice((key, key, key, "\x1b[2J", "é" * 600, "__metadata__"))] = twisted(
        table[key], rng
    )
    return table


def mutated_safetensors(sound: bytes, rng: Rng) -> bytes:
    length = int.from_bytes(sound[:8], "little")
    how = rng.randrange(5)
    if how == 0:
        return flipped(sound, rng, 8 + length)
    if how == 1:
        return resized(sound, rng)
    if how == 2:
        return numbered(sound, rng, 16)
    header: object = json.loads(sound[8 : 8 + length])
    if how == 3:
        text = json.dumps(twisted(header, rng)).encode()
    else:
        text = rng.choice((b"[" * 5000, b'{"a":' * 5000, b"{" + b" " * 500, b"1" * 9000, b"{}"))
    return len(text).to_bytes(8, "little") + text + sound[8 + length :]


def mutated_bytes(sound: bytes, rng: Rng) -> bytes:
    """For formats of numbers and lengths: GGUF's header, an old pickle's."""
    how = rng.randrange(3)
    return (flipped(sound, rng, 600), numbered(sound, rng, 600), resized(sound, rng))[how]


def mutated_zip(sound: bytes, rng: Rng) -> bytes:
    how = rng.randrange(8)
    if how < 2:
        return flipped(sound, rng, len(sound)) if how else resized(sound, rng)
    with zipfile.ZipFile(io.BytesIO(sound)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    program = next(name for name in members if name.endswith("data.pkl"))
    method = zipfile.ZIP_STORED
    if how < 6:  # a sound archive of an unsound pickle
        members[program] = mutated_bytes(members[program], rng)
    elif how == 6:
        members[rng.choice((program, "x/data/9"))] = bytes(10**6)
        method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    else:
        content = {"w": torch.zeros(2), "x": rng.choice(calls())}
        members[program] = pickle.dumps(content["x"], protocol=rng.choice((2, 2, 4)))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method, compresslevel=1) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def mutated_legacy(sound: bytes, rng: Rng) -> bytes:
    if rng.random() < 0.8:
        return mutated_bytes(sound, rng)
    out = io.BytesIO()
    content = {"w": torch.zeros(2), "x": rng.choice(calls())}
    if rng.random() < 0.5:
        return pickle.dumps(content["x"], protocol=rng.randrange(2, 6))
    torch.save(content, out, _use_new_zipfile_serialization=False)
    return out.getvalue()


def mutated_index(sound: bytes, rng: Rng) -> bytes:
    if rng.random() < 0.3:
        return rng.choice((flipped(sound, rng, len(sound)), resized(sound, rng)))
    return json.dumps(twisted(json.loads(sound), rng)).encode()


MUTATIONS = {
    "safetensors": mutated_safetensors,
    "gguf": mutated_bytes,
    "zip": mutated_zip,
    "legacy": mutated_legacy,
    "index": mutated_index,
}


def sound_files(folder: Path) -> dict[str, bytes]:
    tensors = {
        "a.weight": torch.randn(3, 4),
        "a.bias": torch.randn(3).half(),
        "b": torch.zeros(0, 2),
        "c": torch.arange(5),
        "d": torch.tensor(1.0).to(torch.bfloat16),
    }
    safetensors.torch.save_file(tensors, folder / "shard.safetensors", {"k": "v"})
    torch.save({"state_dict": tensors, "epoch": 1}, folder / "zip")
    torch.save(tensors, folder / "legacy", _use_new_zipfile_serialization=False)
    writer = gguf.GGUFWriter(folder / "gguf", "sd1")
    writer.add_array("words", ["a", "bc"])
    writer.add_array("comfy.gguf.orig_shape.q", [2, 4, 8])
    packed = gguf.quants.quantize(np.ones((2, 32), np.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("q", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("w", np.ones((3, 4), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    index = {
        "metadata": {"total_size": 1},
        "weight_map": dict.fromkeys(tensors, "shard.safetensors"),
    }
    sound = {name: (folder / name).read_bytes() for name in ("zip", "legacy", "gguf")}
    sound["safetensors"] = (folder / "shard.safetensors").read_bytes()
    return sound | {"index": json.dumps(index).encode()}


@contextmanager
def bounded() -> Iterator[None]:
    """Let the process grow by no more than ``GROWTH``."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + GROWTH, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def hurried(seconds: float = SECONDS) -> Iterator[None]:
    """Interrupt what takes more than that of the processor's time."""

    def late(*_: object) -> None:
        pytest.fail("a file took too long")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def outcome(path: Path, read: Callable[[Path], object]) -> str:
    try:
        with hurried():
            read(path)
    except InputError as error:
        message = str(error)
        assert "\n" not in message
        assert message.encode()
        assert len(message) < len(str(path)) + 600
        assert "alloc" not in message.lower(), message
        return "refused"
    return "read"


def read_whole(path: Path) -> None:
    tensors = open_tensors(path)
    for name, shape in tensors.shapes.items():
        assert tensors[name].shape == shape
        assert name.isprintable()
    assert sum(tensor.nbytes for tensor in tensors.values()) <= 16 * path.stat().st_size + 4096


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> dict[str, bytes]:
    return sound_files(tmp_path_factory.mktemp("sound"))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is bounded on Linux")
@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_file_is_read_or_refused(tmp_path, monkeypatch, sound, kind: str):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shard.safetensors").write_bytes(sound["safetensors"])
    path = tmp_path / "model"
    path.write_bytes(sound[kind])
    assert outcome(path, read_whole) == "read"
    counts: Counter[str] = Counter()
    with bounded():
        for seed in range(FILES[kind]):
            data = MUTATIONS[kind](sound[kind], random.Random(f"{kind} {seed}"))
            path.write_bytes(data)
            counts[outcome(path, read_whole)] += 1
            if kind == "safetensors":
                outcome(path, read_header)
    assert counts.total() == FILES[kind]
    assert counts["refused"] > FILES[kind] / 4
    assert counts["read"] > FILES[kind] / 100  # some do little harm: not all is refused unread
    assert not (tmp_path / CANARY).exists()


def test_there_are_ten_thousand_files():
    assert sum(FILES.values()) == 10_000


@pytest.mark.parametrize("at", [0, 2, 3, 4])
def test_the_canary_sings_if_a_call_is_made(tmp_path, monkeypatch, at: int):
    monkeypatch.chdir(tmp_path)
    made = pickle.loads(pickle.dumps(calls()[at]))
    assert (tmp_path / CANARY).exists(), made


def test_memory_is_bounded_and_hurry_is_made():
    def hang() -> None:
        while True:
            pass

    with bounded(), pytest.raises(MemoryError):
        bytearray(2 * GROWTH)
    with pytest.raises(pytest.fail.Exception, match="too long"), hurried(0.05):
        hang()
