"""A name stands for a path, a file in a models folder, or a model of the hub: in that order."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import errors

from mezzotint.checkpoints.diffusers_folder import components, weights_file
from mezzotint.checkpoints.find import FOLDERS, VARIABLE, find
from mezzotint.checkpoints.hub import is_complete, worth_having
from mezzotint.errors import InputError


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """Nothing is found but what a test puts there, and the network says that it was asked."""

    def asked(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", asked)


def put(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


class TestFolders:
    """A1111's and ComfyUI's folders are used in place."""

    @pytest.mark.parametrize("base", ["", "models"])
    @pytest.mark.parametrize(("kind", "folder"), [(k, f) for k, fs in FOLDERS.items() for f in fs])
    def test_a_file_goes_by_its_bare_name(self, tmp_path, monkeypatch, base, kind, folder):
        path = put(tmp_path / "ui" / base / folder / "style" / "fox.safetensors")
        put(tmp_path / "ui" / base / "elsewhere" / "fox.safetensors")
        monkeypatch.setenv(
            VARIABLE, os.pathsep.join([str(tmp_path / "none"), str(tmp_path / "ui")])
        )
        for name in ("fox", "fox.safetensors", "style/fox", "style/fox.safetensors"):
            assert find(name, kind) == path

    def test_a_path_comes_first(self, tmp_path, monkeypatch):
        put(tmp_path / "ui/checkpoints/fox.safetensors")
        monkeypatch.setenv(VARIABLE, str(tmp_path / "ui"))
        assert find("fox") == tmp_path / "ui/checkpoints/fox.safetensors"
        put(tmp_path / "fox")
        assert find("fox") == Path("fox")

    def test_safetensors_come_before_pickles_and_folders_before_both(self, tmp_path, monkeypatch):
        monkeypatch.setenv(VARIABLE, str(tmp_path))
        for suffix in (".ckpt", ".safetensors"):
            path = put(tmp_path / f"models/checkpoints/fox{suffix}")
            assert find("fox") == path
        put(tmp_path / "models/diffusers/fox/model_index.json")
        assert find("fox") == tmp_path / "models/diffusers/fox"

    def test_two_files_of_one_name_are_both_named(self, tmp_path, monkeypatch):
        monkeypatch.setenv(VARIABLE, str(tmp_path))
        for folder in ("a", "b"):
            put(tmp_path / "Lora" / folder / "fox.safetensors")
        with pytest.raises(InputError, match=r"one of .*a/fox\.safetensors, .*b/fox\.safetensors"):
            find("fox", "lora")
        assert find("b/fox", "lora") == tmp_path / "Lora/b/fox.safetensors"

    def test_a_slip_of_the_pen_suggests_what_was_meant(self, tmp_path, monkeypatch):
        monkeypatch.setenv(VARIABLE, str(tmp_path))
        put(tmp_path / "Lora/watercolour.safetensors")
        with pytest.raises(InputError, match="did you mean 'watercolour'"):
            find("watercolor", "lora")

    @pytest.mark.parametrize("name", ["fox", "a/fox.safetensors", "a\0b", "x" * 5000, "~nobody/x"])
    def test_what_is_nowhere_is_one_line(self, name: str):
        with pytest.raises(InputError) as caught:
            find(name, "vae")
        assert len(str(caught.value)) < 300
        assert "\n" not in str(caught.value)

    def test_a_kind_that_is_not_is_told(self):
        with pytest.raises(InputError, match="did you mean 'lora'"):
            find("fox", "loar")


def cached(tmp_path: Path, name: str, files: list[str], revision: str = "main") -> Path:
    """Lay files into the hub's cache as huggingface_hub does."""
    commit = "0123456789" * 4
    repo = tmp_path / "cache" / f"models--{name.replace('/', '--')}"
    put(repo / "refs" / revision, commit.encode())
    for file in files:
        put(repo / "snapshots" / commit / file)
    return repo / "snapshots" / commit


class TestHub:
    """The network is asked for what the cache has not got, and for nothing else."""

    def test_what_is_in_the_cache_is_used_as_it_is(self, tmp_path):
        fox = cached(tmp_path, "a/fox", ["model.safetensors"])
        owl = cached(tmp_path, "a/owl", ["model.safetensors"], "v1")
        assert find("a/fox") == fox
        assert find("a/owl@v1") == owl

    @pytest.mark.parametrize("files", [[], ["config.json"], ["x.safetensors.index.json"]])
    def test_a_cache_without_the_weights_is_not_enough(self, tmp_path, files: list[str]):
        cached(tmp_path, "a/fox", files)
        with pytest.raises(AssertionError, match="the network was asked"):
            find("a/fox")

    def test_offline_says_what_was_wanted_and_what_to_do(self, monkeypatch):
        monkeypatch.undo()
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(
            InputError, match=r"^a/fox@v2 is no file.*unset HF_HUB_OFFLINE"
        ) as caught:
            find("a/fox@v2")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (errors.GatedRepoError, "gated: accept its terms at https://huggingface.co/a/fox"),
            (errors.RepositoryNotFoundError, "neither a file here nor a model of the hub"),
            (errors.RevisionNotFoundError, "neither a file here nor a model of the hub"),
            (ConnectionError, "hub cannot be asked"),
        ],
    )
    def test_what_the_hub_refuses_is_one_line(self, monkeypatch, error, reason: str):
        def refuse(*args: object, **kwargs: object) -> None:
            raise error.__new__(error)

        monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
        with pytest.raises(InputError, match=reason):
            find("a/fox")

    def test_only_what_is_worth_having_is_downloaded(self, tmp_path, monkeypatch):
        files = ["README.md", "config.json", "pytorch_model.bin", "model.safetensors"]
        asked: list[list[str]] = []

        def download(name: str, revision: str | None, allow_patterns: list[str], **more: object):
            if more.get("local_files_only"):
                raise errors.LocalEntryNotFoundError("nothing")
            asked.append(allow_patterns)
            return str(tmp_path)

        told = SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in files])
        monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: told)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
        assert find("a/fox") == tmp_path
        assert asked == [["config.json", "model.safetensors"]]

    def test_of_a_pipeline_one_set_of_weights_a_folder(self):
        wanted = [
            "model_index.json",
            "text_encoder/config.json",
            "text_encoder/pytorch_model.bin",
            "tokenizer/merges.txt",
            "tokenizer_3/spiece.model",
            "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
            "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
            "unet/diffusion_pytorch_model.safetensors.index.json",
            "vae/diffusion_pytorch_model.fp16.safetensors",
        ]
        unwanted = [
            "sd_xl_base_1.0.safetensors",
            "unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors",
            "unet/diffusion_pytorch_model.non_ema.safetensors",
            "unet/diffusion_pytorch_model.bin",
            "unet/model.onnx",
            "vae/diffusion_pytorch_model.bin",
            "flax_model.msgpack",
            "picture.png",
        ]
        assert worth_having([*unwanted, *wanted]) == wanted
        assert worth_having(["sd_xl_base_1.0.safetensors"]) == ["sd_xl_base_1.0.safetensors"]

    def test_a_pipeline_is_complete_when_every_component_has_its_weights(self, tmp_path):
        index = {
            "_class_name": "StableDiffusionPipeline",
            "unet": ["diffusers", "UNet2DConditionModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "scheduler": ["diffusers", "PNDMScheduler"],
            "feature_extractor": ["transformers", "CLIPImageProcessor"],
            "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
            "image_encoder": [None, None],
        }
        put(tmp_path / "model_index.json", json.dumps(index).encode())
        assert not is_complete(tmp_path)
        shards = {"weight_map": {"w": "a.safetensors"}}
        put(
            tmp_path / "unet/diffusion_pytorch_model.safetensors.index.json",
            json.dumps(shards).encode(),
        )
        assert not is_complete(tmp_path)
        put(tmp_path / "unet/a.safetensors")
        assert is_complete(tmp_path)


class TestComponents:
    """The folders that diffusers and transformers save."""

    def test_the_weights_that_come_first(self, tmp_path):
        order = [
            "diffusion_pytorch_model.bin",
            "diffusion_pytorch_model.fp16.safetensors",
            "model.safetensors.index.json",
            "diffusion_pytorch_model.safetensors",
        ]
        for name in order:
            put(tmp_path / name)
            assert weights_file(tmp_path).name == name

    def test_a_single_file_of_any_name_will_do_but_not_two(self, tmp_path):
        with pytest.raises(InputError, match="has no weights"):
            weights_file(tmp_path)
        path = put(tmp_path / "ip-adapter.safetensors")
        assert weights_file(tmp_path) == path
        put(tmp_path / "other.safetensors")
        with pytest.raises(InputError, match=r"name one of them: ip-adapter\.safe.*, other"):
            weights_file(tmp_path)

    def test_components_are_named_with_their_classes(self, tmp_path):
        index = {"_class_name": "X", "vae": ["diffusers", "AutoencoderKL"], "none": [None, None]}
        put(tmp_path / "model_index.json", json.dumps(index).encode())
        assert components(tmp_path) == {"vae": "AutoencoderKL"}
        put(tmp_path / "model_index.json", b'{"../vae": ["diffusers", "AutoencoderKL"]}')
        with pytest.raises(InputError, match="outside its folder"):
            components(tmp_path)

    @pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"a": NaN'])
    def test_what_is_no_table_is_refused(self, tmp_path, data: bytes):
        put(tmp_path / "model_index.json", data)
        with pytest.raises(InputError, match="JSON"):
            components(tmp_path)
