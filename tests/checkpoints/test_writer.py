"""Files of tensors are written whole, in shards where they are large, and never held twice."""

import json
from collections.abc import Iterator, Mapping

import pytest
import torch

from mezzotint.checkpoints.reader import open_tensors
from mezzotint.checkpoints.sharded import read_index
from mezzotint.checkpoints.writer import write_tensors
from mezzotint.errors import InputError


class Fresh(Mapping[str, torch.Tensor]):
    """A model that makes each tensor when it is asked for, and counts how many live at once."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.alive = self.most = 0

    def __getitem__(self, name: str) -> torch.Tensor:
        import weakref

        tensor = torch.full((64, 64), float(self.names.index(name)))
        self.alive += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(tensor, self._gone)
        return tensor

    def _gone(self) -> None:
        self.alive -= 1

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def test_a_model_is_written_a_tensor_at_a_time(tmp_path):
    model = Fresh([f"layer.{i}" for i in range(20)])
    write_tensors(tmp_path / "x.safetensors", model)
    assert model.most <= 3
    assert model.alive == 0
    assert [t[0, 0].item() for t in map(open_tensors(tmp_path / "x.safetensors").get, model)] == [
        *range(20)
    ]


def test_shards_are_named_and_filled_as_transformers_does(tmp_path):
    tensors = {f"w{i}": torch.full((10,), float(i)) for i in range(5)} | {"big": torch.zeros(100)}
    path = write_tensors(tmp_path / "model.safetensors", tensors, shard_bytes=100)
    assert path.name == "model.safetensors.index.json"
    index = json.loads(path.read_text())
    assert index["metadata"] == {"total_size": 600}
    shards = read_index(path)
    assert sorted(shards) == [f"model-{i:05}-of-00004.safetensors" for i in range(1, 5)]
    assert sorted(map(sorted, shards.values())) == [["big"], ["w0", "w1"], ["w2", "w3"], ["w4"]]
    found = open_tensors(path)
    assert {n: t.tolist() for n, t in found.items()} == {n: t.tolist() for n, t in tensors.items()}


def test_transformers_reads_the_shards(tmp_path):
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    model = CLIPTextModel(config)
    config.save_pretrained(tmp_path)
    write_tensors(tmp_path / "model.safetensors", model.state_dict(), shard_bytes=1000)
    again = CLIPTextModel.from_pretrained(tmp_path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"w": torch.zeros(2)})

    class Unplugged(Fresh):
        def __getitem__(self, name: str) -> torch.Tensor:
            if self.most == len(self):  # the sizes are known, half of the file is written
                raise KeyboardInterrupt
            self.most += 1
            return torch.ones(2)

    with pytest.raises(KeyboardInterrupt):
        write_tensors(path, Unplugged(["w", "v", "u"]))
    assert open_tensors(path)["w"].tolist() == [0, 0]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot write .*none"):
        write_tensors(tmp_path / "none" / "x.safetensors", {"w": torch.zeros(2)})
    with pytest.raises(InputError, match=r"safetensors has no torch\.complex128"):
        write_tensors(tmp_path / "x", {"w": torch.zeros(2, dtype=torch.complex128)})


def test_a_file_can_be_rewritten_from_its_own_tensors(tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": torch.arange(1000.0), "b": torch.arange(10)})
    before = path.read_bytes()
    write_tensors(path, open_tensors(path))
    assert path.read_bytes() == before


class TestShards:
    """A set of shards is whole and stays in its folder, or is refused in one line."""

    def index(self, tmp_path, weight_map: object):
        path = tmp_path / "model.safetensors.index.json"
        path.write_text(json.dumps({"weight_map": weight_map}))
        return path

    def test_missing_shards_are_listed(self, tmp_path):
        write_tensors(tmp_path / "a.safetensors", {"w": torch.zeros(2)})
        path = self.index(
            tmp_path, {"w": "a.safetensors", "x": "b.bin", "y": "c.bin", "z": "c.bin"}
        )
        with pytest.raises(InputError, match=r"2 missing: b\.bin, c\.bin$"):
            open_tensors(path)

    @pytest.mark.parametrize("shard", ["../a", "/etc/passwd", "x/a", "..", "", "x\\a"])
    def test_a_shard_outside_the_folder_is_refused(self, tmp_path, shard: str):
        path = self.index(tmp_path / ".", {"w": shard})
        with pytest.raises(InputError, match=r"outside its folder|missing"):
            open_tensors(path)

    def test_a_tensor_that_its_shard_lacks_is_named(self, tmp_path):
        write_tensors(tmp_path / "a.safetensors", {"w": torch.zeros(2)})
        with pytest.raises(InputError, match=r"1 missing: v in a\.safetensors"):
            open_tensors(self.index(tmp_path, {"w": "a.safetensors", "v": "a.safetensors"}))

    def test_an_index_is_no_shard_of_itself(self, tmp_path):
        path = self.index(tmp_path, {"w": "model.safetensors.index.json"})
        with pytest.raises(InputError, match="wanted is"):
            open_tensors(path)

    @pytest.mark.parametrize("weight_map", [None, [], "a", {"w": 3}, {"w": None}, {"w\n": "a"}])
    def test_nonsense_is_refused(self, tmp_path, weight_map: object):
        with pytest.raises(InputError, match="not the index"):
            open_tensors(self.index(tmp_path, weight_map))
