"""What mapped weights take of memory, and that it can be had back."""

import gc
import mmap
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mezzotint.checkpoints.reader import open_tensors
from mezzotint.files import pages
from mezzotint.files.pages import is_mapped, let_go

MEBI = 2**20
STATM = Path("/proc/self/statm")
needs_linux = pytest.mark.skipif(
    not STATM.exists() or not hasattr(mmap, "MADV_DONTNEED"), reason="reads Linux' own figures"
)


def resident() -> int:
    """Bytes of the process that are in memory."""
    gc.collect()
    return int(STATM.read_text().split()[1]) * mmap.PAGESIZE


@pytest.fixture
def tensors(tmp_path: Path) -> dict[str, Tensor]:
    """Three tensors of a file, of which none ends where a page does."""
    numbers = {name: torch.randn(n) for name, n in (("a", 1001), ("b", 8 * MEBI + 7), ("c", 3))}
    save_file(numbers, tmp_path / "file.safetensors")
    return dict(open_tensors(tmp_path / "file.safetensors"))


def test_what_lies_in_a_file_is_told_from_what_does_not(tensors: dict[str, Tensor]) -> None:
    assert all(is_mapped(tensor) for tensor in tensors.values())
    assert is_mapped(tensors["b"][5:])
    assert not is_mapped(tensors["b"] + 0)
    assert not is_mapped(torch.empty(3, device="meta"))


@needs_linux
def test_memory_comes_back_and_numbers_stay(tensors: dict[str, Tensor]) -> None:
    big, size = tensors["b"], tensors["b"].nbytes
    before = resident()
    total = big.abs().max()
    read = resident()
    assert read - before > 0.9 * size
    let_go(big)
    assert read - resident() > 0.9 * size
    assert big.abs().max() == total


@needs_linux
def test_what_was_written_to_stays(tensors: dict[str, Tensor]) -> None:
    big = tensors["b"]
    big[5 * MEBI] = 7
    let_go(big)
    assert big[5 * MEBI] == 7


def test_where_nothing_tells_what_was_written_to_all_stays(
    tensors: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGES", Path("/nowhere"))
    tensors["b"] += 1
    wanted = tensors["b"].clone()
    let_go(tensors["b"])
    assert torch.equal(tensors["b"], wanted)


def test_neighbours_keep_what_was_written_to_them(tensors: dict[str, Tensor]) -> None:
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    for name in ("a", "c"):
        tensors[name] += 1
    let_go(tensors["b"])
    assert torch.equal(tensors["a"], before["a"] + 1)
    assert torch.equal(tensors["b"], before["b"])
    assert torch.equal(tensors["c"], before["c"] + 1)


@pytest.mark.parametrize(
    "tensor", [torch.ones(3 * MEBI), torch.empty(0), torch.empty(3).to("meta")]
)
def test_other_tensors_are_left_alone(tensor: Tensor) -> None:
    let_go(tensor)
    assert tensor.is_meta or (tensor == 1).all()
