import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracles import distance
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mezzotint.files.compiled import FOLDER
from mezzotint.nn import cpu_attention, native
from mezzotint.nn.attention import Attention, attend
from mezzotint.nn.cpu_attention import Kernel

FLAGS = {"tiles": native.AVX + native.AMX, "lanes": native.AVX}


@pytest.fixture(scope="module", params=FLAGS)
def kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    """As it is compiled for either kind of CPU, whatever is quicker here."""
    flags = FLAGS[request.param]
    if not native.has(flags):
        pytest.skip(f"a CPU without {request.param}")
    path = tmp_path_factory.mktemp("kernel") / "attention.so"
    try:
        native.compile_to(path, native.source("attention"), flags)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no compiler for this: {error}")
    return cpu_attention.loaded(path)


def heads(b: int, count: int, rows: int, d: int, seed: int, spread: float = 1) -> Tensor:
    """(b, count, rows, d), laid out as a projection leaves it."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(b, rows, count, d, generator=generator) * spread).bfloat16().transpose(1, 2)


def exact(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    query, key, value = query.double(), key.double(), value.double()
    return (query @ key.mT / query.shape[3] ** 0.5).softmax(3) @ value


sizes = st.tuples(
    st.integers(1, 2),
    st.integers(1, 3),
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from([2, 16, 30, 40, 64, 80, 128, 160, 512]),
)


@given(sizes, st.integers(0, 9), st.sampled_from([0, 0.1, 1, 4, 30, 1000]))
@example((1, 1, 1, 1, 2), 0, 1)
@example((2, 2, 130, 257, 48), 0, 30)
@settings(deadline=None, max_examples=40)
def test_near_to_the_formula(
    kernel: Kernel, size: tuple[int, int, int, int, int], seed: int, spread: float
) -> None:
    b, count, m, n, d = size
    query = heads(b, count, m, d, seed, spread)
    key, value = heads(b, count, n, d, seed + 1), heads(b, count, n, d, seed + 2)
    expected = exact(query, key, value)
    ours = kernel(query, key, value)
    theirs = F.scaled_dot_product_attention(query, key, value)
    assert ours.shape == theirs.shape
    # rounded weights, whose errors among few do not average out
    rounding = 2**-9 * value.square().mean().sqrt()
    assert distance(ours, expected) <= 2 * distance(theirs, expected) + rounding
    assert (ours.double() - expected).abs().max() <= 2**-7 * value.abs().max()


@pytest.mark.parametrize("spread", [0.1, 1, 4, 30])
def test_of_many_keys_nearly_as_near_as_torch(kernel: Kernel, spread: float) -> None:
    three = [heads(1, 2, 700, 64, k, spread if k == 0 else 1) for k in range(3)]
    expected = exact(*three)
    theirs = distance(F.scaled_dot_product_attention(*three), expected)
    assert distance(kernel(*three), expected) <= 1.5 * theirs


def test_a_wrong_formula_is_told_apart(kernel: Kernel) -> None:
    query, key, value = (heads(1, 2, 96, 40, k, 2) for k in range(3))
    theirs = distance(F.scaled_dot_product_attention(query, key, value), exact(query, key, value))
    for wrong in (exact(query, key[:, :, 1:], value[:, :, 1:]), exact(query * 1.02, key, value)):
        assert distance(kernel(query, key, value), wrong) > 2 * theirs + 2**-9


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=200), st.integers(0, 9))
@settings(deadline=None, max_examples=30)
def test_any_logits(kernel: Kernel, logits: list[float], seed: int) -> None:
    query = torch.zeros(1, 1, 1, 2, dtype=torch.bfloat16)
    query[..., 0] = 1
    key = torch.zeros(1, 1, len(logits), 2, dtype=torch.bfloat16)
    key[0, 0, :, 0] = torch.tensor(logits)
    value = heads(1, 1, len(logits), 2, seed)
    error = kernel(query, key, value).double() - exact(query, key, value)
    assert error.abs().max() <= 2**-7 * value.abs().max()


def test_equal_values_stay_as_they_are(kernel: Kernel) -> None:
    query, key = heads(1, 2, 50, 64, 0, 3), heads(1, 2, 700, 64, 1)
    value = heads(1, 2, 1, 64, 2).expand(1, 2, 700, 64)
    mixed = kernel(query, key, value)
    assert (mixed.double() / value[:, :, :1].double() - 1).abs().max() <= 2**-8


@given(st.integers(0, 199), st.integers(0, 9))
@settings(deadline=None, max_examples=15)
def test_a_row_is_the_same_in_any_company(kernel: Kernel, row: int, seed: int) -> None:
    query, key = heads(2, 3, 200, 40, seed, 9), heads(2, 3, 500, 40, seed + 1)
    value = heads(2, 3, 500, 40, seed + 2)
    together = kernel(query, key, value)
    one = (slice(1, 2), slice(2, 3))
    alone = kernel(query[one][:, :, row : row + 1], key[one], value[one])
    assert torch.equal(together[one][:, :, row : row + 1], alone)


def test_rows_that_rise_do_not_touch_their_neighbours(kernel: Kernel) -> None:
    query = heads(1, 1, 2, 2, 0)
    query[0, 0, 0] = torch.tensor([0.0, 1.0])
    query[0, 0, 1] = torch.tensor([1.0, 0.0])
    key = torch.zeros(1, 1, 512, 2, dtype=torch.bfloat16)
    key[0, 0, :, 0] = torch.arange(512)  # for the second query a block beats the one before
    key[0, 0, :, 1] = torch.linspace(-1, 1, 512)
    value = heads(1, 1, 512, 2, 1)
    both = kernel(query, key, value)
    assert torch.equal(both[:, :, :1], kernel(query[:, :, :1], key, value))
    assert distance(both, exact(query, key, value)) < 0.01


@pytest.mark.parametrize("spread", [1, 1000], ids=["calm", "not calm"])
@pytest.mark.parametrize("which", range(3), ids=["query", "key", "value"])
@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_what_is_no_number_is_heard(
    kernel: Kernel, spread: float, which: int, wrong: float
) -> None:
    three = [heads(1, 2, 96, 40, k, spread if k == 0 else 1) for k in range(3)]
    three[which][0, 0, 50, 7] = wrong
    rows = kernel(*three)[0].isfinite().all(2)
    wanted = F.scaled_dot_product_attention(*three)[0].isfinite().all(2)
    assert not (rows & ~wanted).any()
    assert rows[1].all()  # the other head


def test_nothing_beside_the_tensors_is_read(kernel: Kernel) -> None:
    """What stands around queries, keys and values in memory is NaN."""

    def framed(rows: int, d: int, seed: int) -> Tensor:
        frame = torch.full((1, rows + 2, 3, d + 6), torch.nan, dtype=torch.bfloat16)
        inside = frame[:, 1:-1, 1:2, 3 : 3 + d].transpose(1, 2)
        return inside.copy_(heads(1, 1, rows, d, seed))

    query, key, value = framed(37, 40, 0), framed(45, 40, 1), framed(45, 40, 2)
    assert distance(kernel(query, key, value), exact(query, key, value)) < 0.01


class Probe:
    """A kernel that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        self.calls += 1
        return F.scaled_dot_product_attention(query, key, value)


class Watch(TorchDispatchMode):
    """Operations by name, as whatever counts or records them sees them."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    probe = Probe()
    monkeypatch.setattr(cpu_attention, "kernel", lambda: probe)
    return probe


@pytest.fixture
def query() -> Tensor:
    return heads(2, 2, 128, 16, 0)


def test_asked_where_it_is_quicker(probe: Probe, query: Tensor) -> None:
    attend(query, query, query, causal=False)
    attend(query, query[:, :, :77], query[:, :, :77], causal=False)
    with torch.no_grad():
        attend(query.requires_grad_(), query, query, causal=False)
    assert probe.calls == 3


def test_left_alone_elsewhere(probe: Probe, query: Tensor) -> None:
    leaf = query.clone().requires_grad_()
    spread = torch.stack([query, query], dim=4)[..., 0]
    attend(query, query, query, causal=True)
    attend(query, leaf, query, causal=False)
    attend(query, query, leaf, causal=False)
    attend(*[query.float()] * 3, causal=False)
    attend(*[query[:, :, :8]] * 3, causal=False)
    attend(*[query[..., :7]] * 3, causal=False)
    attend(query, spread, query, causal=False)
    with Watch() as watch:
        attend(query, query, query, causal=False)
    assert any("scaled_dot_product" in name for name in watch.names)
    assert probe.calls == 0


def traced(network: nn.Module, x: Tensor) -> str:
    return str(torch.jit.trace(network, x, check_trace=False).inlined_graph)


def exported(network: nn.Module, x: Tensor) -> str:
    return str(torch.export.export(network, (x,)).graph)


def compiled(network: nn.Module, x: Tensor) -> str:
    graphs: list[str] = []

    def keep(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., object]:
        graphs.append(str(graph.graph))
        return graph.forward

    torch.compile(network, backend=keep, fullgraph=True)(x)
    return "".join(graphs)


@pytest.mark.parametrize("seen", [traced, exported, compiled])
@torch.no_grad()
def test_graphs_have_the_operation_of_torch(
    probe: Probe, seen: Callable[[nn.Module, Tensor], str]
) -> None:
    network = Attention(32, 32, heads=2, bias=False).bfloat16().eval()
    x = torch.randn(1, 128, 32).bfloat16()
    assert "scaled_dot_product_attention" in seen(network, x)
    assert probe.calls == 0
    network(x)
    assert probe.calls == 1


def remade() -> Kernel | None:
    """As in a new process."""
    return cpu_attention.kernel.__wrapped__()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache, on a machine that could have a kernel; where it would be in it."""
    if not native.has(native.AVX):
        pytest.skip("not such a CPU")
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path))
    return tmp_path / FOLDER


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, store: Path) -> list[Path]:
    """What is compiled, by a stand-in whose kernels are the bytes in their files."""
    compiled: list[Path] = []

    def compile_to(path: Path, source: Path, flags: tuple[str, ...]) -> None:
        compiled.append(path)
        path.write_bytes(b"made")

    monkeypatch.setattr(native, "compile_to", compile_to)
    monkeypatch.setattr(cpu_attention, "loaded", lambda path: path.read_bytes())
    monkeypatch.setattr(cpu_attention, "quicker", lambda _: True)
    return compiled


@pytest.mark.parametrize("compiler", ["/nowhere/cc", "false"])
def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, store: Path, compiler: str) -> None:
    monkeypatch.setenv("CC", compiler)
    assert remade() is None
    assert not list(store.iterdir())


def test_the_verdict_is_remembered(
    monkeypatch: pytest.MonkeyPatch, store: Path, made: list[Path]
) -> None:
    assert remade() == remade() == b"made"
    (kept,) = store.iterdir()
    kept.unlink()
    monkeypatch.setattr(cpu_attention, "quicker", lambda _: False)
    assert remade() is None
    monkeypatch.setattr(cpu_attention, "quicker", lambda _: pytest.fail("asked again"))
    assert remade() is None
    assert len(made) == 2


@pytest.mark.parametrize("damage", [b"ma", b"mad\0", b""])
def test_what_is_damaged_is_made_anew_and_never_loaded(
    monkeypatch: pytest.MonkeyPatch, store: Path, made: list[Path], damage: bytes
) -> None:
    remade()
    (kept,) = store.iterdir()
    kept.write_bytes(damage)
    with pytest.warns(UserWarning, match="is damaged, so it is compiled anew") as said:
        assert remade() == b"made"
    assert len(said) == 1
    assert kept.read_bytes() == b"made"
    assert len(made) == 2


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owner here")
@pytest.mark.parametrize("whose", ["group's file", "link", "another's file"])
def test_what_another_could_write_is_not_loaded(
    monkeypatch: pytest.MonkeyPatch, store: Path, made: list[Path], whose: str
) -> None:
    remade()
    (kept,) = store.iterdir()
    if whose == "group's file":
        kept.chmod(0o660)
    elif whose == "link":
        kept.rename(store.parent / "elsewhere")
        kept.symlink_to(store.parent / "elsewhere")
    elif os.getuid():
        pytest.skip("only root gives files away")
    else:
        os.chown(kept, 12345, 12345)
    with pytest.warns(UserWarning, match="you alone must own it"):
        assert remade() == b"made"
    assert len(made) == 2
    assert remade() == b"made"  # the new one, which is the user's own
    assert len(made) == 2


def test_a_folder_that_another_could_write_is_left_alone(store: Path, made: list[Path]) -> None:
    store.mkdir(mode=0o777)
    store.chmod(0o777)
    with pytest.warns(UserWarning, match="^attention is PyTorch's own, .*you alone must own it$"):
        assert remade() is None
    assert made == []
    assert not list(store.iterdir())


def test_a_kernel_of_another_system_is_made_anew(
    monkeypatch: pytest.MonkeyPatch, store: Path, made: list[Path]
) -> None:
    def fails_once(path: Path) -> bytes:
        if path.parent == store and len(made) == 1:
            raise OSError("version `GLIBC_9' not found")
        return path.read_bytes()

    remade()
    monkeypatch.setattr(cpu_attention, "loaded", fails_once)
    assert remade() == remade() == b"made"
    assert len(made) == 2


def test_what_cannot_be_loaded_is_said(monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
    monkeypatch.setattr(native, "compile_to", lambda path, *_: path.write_bytes(b"junk"))
    with pytest.warns(UserWarning, match=r"^attention is PyTorch's own, .*attention\.so"):
        assert remade() is None
    assert not list(store.iterdir())


def test_where_nothing_can_be_written_that_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: list[Path]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match=r"^attention is PyTorch's own, .*: cannot write .*file"):
        assert remade() is None


def test_the_real_one_is_whole_again_after_it_was_cut(store: Path) -> None:
    """In processes of its own: to load half of it is a bus error."""
    code = "from mezzotint.nn import cpu_attention as it; it.quicker = bool; print(it.kernel())"

    def process(**more: str) -> subprocess.CompletedProcess[str]:
        how = {"capture_output": True, "text": True, "check": True, "env": os.environ | more}
        return subprocess.run([sys.executable, "-c", code], **how)

    if process().stdout == "None\n":
        pytest.skip("no compiler for this")
    (kept,) = store.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    ended = process()
    assert ended.stderr.count("is damaged, so it is compiled anew") == 1
    assert "<function" in ended.stdout
    found = process(CC="false")  # what was kept is all that there is
    assert "<function" in found.stdout
    assert not found.stderr
