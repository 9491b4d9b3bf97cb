"""Pickles of tensors are read, pickles of anything else are refused by name, and none is run."""

import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mezzotint.checkpoints.reader import open_tensors
from mezzotint.errors import InputError


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


def write_zip(content: object, path: Path) -> None:
    torch.save(content, path)


def write_legacy(content: object, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def write_bare(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


WRITERS = [write_zip, write_legacy, write_bare]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize(
    ("function", "name"),
    [(os.system, "posix.system"), (eval, "builtins.eval"), (print, "builtins.print")],
)
def test_code_is_refused_by_name_and_not_run(tmp_path, monkeypatch, write, function, name: str):
    monkeypatch.chdir(tmp_path)
    run = "touch canary" if function is os.system else "open('canary', 'w').close()"
    write({"state_dict": {}, "callbacks": Calls(function, run)}, tmp_path / "x.ckpt")
    with pytest.raises(InputError, match=rf"pickle calls {name};.*safetensors") as caught:
        open_tensors(tmp_path / "x.ckpt")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "canary").exists()


def test_the_canary_would_have_sung(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_bare(Calls(os.system, "touch canary"), tmp_path / "x.ckpt")
    pickle.loads((tmp_path / "x.ckpt").read_bytes())
    assert (tmp_path / "canary").exists()


def test_what_lightning_leaves_in_a_checkpoint_is_named(tmp_path):
    module = type("ModelCheckpoint", (), {"__module__": "pytorch_lightning.callbacks"})
    content = {"state_dict": {"w": torch.zeros(2)}, "best": np.float32(1.0), "callbacks": {}}
    torch.save(content, tmp_path / "numpy.ckpt")
    with pytest.raises(InputError, match=r"numpy\.\S+\.scalar, numpy\.dtype"):
        open_tensors(tmp_path / "numpy.ckpt")
    with zipfile.ZipFile(tmp_path / "x.ckpt", "w") as archive:
        archive.writestr(
            "x/data.pkl", b"\x80\x02c" + f"{module.__module__}\nModelCheckpoint\n.".encode()
        )
    with pytest.raises(InputError, match=r"calls pytorch_lightning\.callbacks\.ModelCheckpoint;"):
        open_tensors(tmp_path / "x.ckpt")


@pytest.mark.parametrize("write", [write_zip, write_legacy])
class TestContents:
    """What torch.save writes of tensors in plain containers comes back."""

    def test_a_module_s_state_dict(self, tmp_path, write):
        module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
        write(module.state_dict(), tmp_path / "x.pt")
        found = open_tensors(tmp_path / "x.pt")
        assert list(found) == list(module.state_dict())
        assert all(torch.equal(found[n], t) for n, t in module.state_dict().items())

    def test_tensors_that_share_their_numbers(self, tmp_path, write):
        whole = torch.randn(6, 4)
        content = {"whole": whole, "same": whole, "part": whole[2:, 1:], "turned": whole.t()}
        write(content, tmp_path / "x.pt")
        found = open_tensors(tmp_path / "x.pt")
        assert all(torch.equal(found[n], t) for n, t in content.items())
        assert found["same"].data_ptr() == found["whole"].data_ptr()

    def test_tables_in_tables(self, tmp_path, write):
        vector = torch.nn.Parameter(torch.randn(2, 8))
        content = {"string_to_param": {"*": vector}, "string_to_token": {"*": 265}, "name": "fox"}
        write(content, tmp_path / "x.pt")
        found = open_tensors(tmp_path / "x.pt")
        assert torch.equal(found["string_to_param.*"], vector)
        assert not found["string_to_param.*"].requires_grad
        assert found.metadata == {"string_to_token.*": "265", "name": "fox"}

    def test_a_nested_state_dict_is_unwrapped(self, tmp_path, write):
        inner = OrderedDict(w=torch.ones(2))
        write({"state_dict": inner, "optimizer_states": [inner], "epoch": 3}, tmp_path / "x.ckpt")
        found = open_tensors(tmp_path / "x.ckpt")
        assert found.shapes == {"w": (2,)}
        assert found.metadata == {"epoch": "3"}

    @pytest.mark.parametrize("content", [torch.zeros(2), [torch.zeros(2)], 3, "text"])
    def test_what_is_no_table_is_refused(self, tmp_path, write, content):
        write(content, tmp_path / "x.pt")
        with pytest.raises(InputError, match="not a table of tensors"):
            open_tensors(tmp_path / "x.pt")

    def test_two_tensors_of_one_name_are_refused(self, tmp_path, write):
        write({"a": {"b": torch.zeros(1)}, "a.b": torch.ones(1)}, tmp_path / "x.pt")
        with pytest.raises(InputError, match=r"two tensors are called 'a\.b'"):
            open_tensors(tmp_path / "x.pt")

    def test_a_table_in_itself_is_refused(self, tmp_path, write):
        content: dict[str, object] = {"w": torch.zeros(1)}
        content["self"] = content
        write(content, tmp_path / "x.pt")
        with pytest.raises(InputError, match="in themselves"):
            open_tensors(tmp_path / "x.pt")

    def test_a_tensor_larger_than_its_bytes_is_refused(self, tmp_path, write):
        write({"w": torch.zeros(1).expand(10**12)}, tmp_path / "x.pt")
        with pytest.raises(InputError, match="claims 4,000,000,000,000 bytes"):
            open_tensors(tmp_path / "x.pt")

    @pytest.mark.parametrize("make", [bytearray, torch.UntypedStorage])
    def test_a_few_bytes_that_ask_for_many_are_refused(self, tmp_path, write, make):
        write({"w": torch.zeros(1), "x": Calls(make, 10**13)}, tmp_path / "x.pt")
        with pytest.raises(InputError, match=r"bytearray|UntypedStorage"):
            open_tensors(tmp_path / "x.pt")

    def test_a_key_that_would_take_for_ever_to_hash_is_refused(self, tmp_path, write):
        key: tuple[object, ...] = ()
        for _ in range(60):
            key = (key, key)
        write(Table(key), tmp_path / "x.pt")
        with pytest.raises(InputError, match="something other than text and numbers"):
            open_tensors(tmp_path / "x.pt")


class Table:
    """Pickles as a table with a key that is never hashed here."""

    def __init__(self, key: object) -> None:
        self.key = key

    def __reduce__(self) -> tuple[object, ...]:
        return OrderedDict, (), None, None, iter([(self.key, 1)])


class TestArchives:
    """Of zip archives only those that torch.save could have written are read."""

    def sound(self, tmp_path) -> tuple[Path, dict[str, bytes]]:
        path = tmp_path / "x.pt"
        torch.save({"w": torch.arange(64.0)}, path)
        with zipfile.ZipFile(path) as archive:
            return path, {name: archive.read(name) for name in archive.namelist()}

    def rewrite(self, path: Path, members: dict[str, bytes], method: int = 0) -> None:
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, data in members.items():
                archive.writestr(name, data)

    def test_an_archive_written_again_is_read(self, tmp_path):
        path, members = self.sound(tmp_path)
        self.rewrite(path, members)
        assert open_tensors(path)["w"].tolist() == [*range(64)]

    def test_a_bomb_is_refused_before_it_is_unpacked(self, tmp_path):
        path, members = self.sound(tmp_path)
        self.rewrite(path, members | {"x/data/1": bytes(10**7)}, zipfile.ZIP_DEFLATED)
        assert path.stat().st_size < 10**5
        with pytest.raises(InputError, match="compressed"):
            open_tensors(path)

    def test_a_directory_that_lies_about_sizes_is_refused(self, tmp_path):
        path, _ = self.sound(tmp_path)
        data = bytearray(path.read_bytes())
        at = data.rindex(b"PK\x01\x02")
        data[at + 20 : at + 28] = (10**9).to_bytes(4, "little") * 2
        path.write_bytes(data)
        with pytest.raises(InputError, match="larger than the file"):
            open_tensors(path)

    def test_a_storage_smaller_than_the_pickle_says_is_refused(self, tmp_path):
        path, members = self.sound(tmp_path)
        self.rewrite(path, members | {"x/data/0": bytes(255)})
        with pytest.raises(InputError, match="another size"):
            open_tensors(path)

    def test_a_second_pickle_is_refused(self, tmp_path):
        path, members = self.sound(tmp_path)
        self.rewrite(path, members | {"x/DATA.pkl": members["x/data.pkl"]})
        with pytest.raises(InputError, match="twice"):
            open_tensors(path)

    def test_an_archive_behind_another_is_refused(self, tmp_path):
        path, _ = self.sound(tmp_path)
        path.write_bytes(path.read_bytes() * 2)
        with pytest.raises(InputError, match=r"two places|cut short"):
            open_tensors(path)

    def test_a_program_is_refused(self, tmp_path):
        path = tmp_path / "x.pt"
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
        with pytest.raises(InputError, match="TorchScript"):
            open_tensors(path)
