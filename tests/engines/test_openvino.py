"""OpenVINO: the same functions as PyTorch's, and never of other weights."""

import hashlib
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from oracles import psnr, randomised
from torch import Tensor, nn

from mezzotint.adapters.deltas import LoRA
from mezzotint.adapters.patches import Change, Dial, fuse
from mezzotint.engines import ENGINES, auto, openvino_graph, openvino_model
from mezzotint.engines.calls import Inputs, taken
from mezzotint.engines.openvino_engine import Executes, engine_by, exactly, openvino, settings
from mezzotint.errors import InputError
from mezzotint.models.autoencoder import Autoencoder, AutoencoderParams
from mezzotint.models.dit import DiT, DiTParams
from mezzotint.models.flux import Flux, FluxParams
from mezzotint.models.mmdit import MMDiT, MMDiTParams
from mezzotint.models.tiny_autoencoder import TinyAutoencoder, TinyAutoencoderParams
from mezzotint.models.unet import UNet, UNetParams
from mezzotint.nn.attention import Attention
from mezzotint.pipeline.pipeline import Pipeline

pytest.importorskip("openvino")
BF16 = torch.bfloat16


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests that do not look into it."""
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, graphs: Path) -> Iterator[None]:
    """No gradients, and whatever is said is an error where a test does not expect it."""
    monkeypatch.setenv("MEZZOTINT_CACHE", str(graphs))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache; what is given is where the graphs are in it."""
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path))
    return tmp_path / openvino_graph.FOLDER


def unet() -> UNet:
    params = UNetParams(
        channels_in=4,
        channels_out=4,
        channels=(8, 16),
        blocks=1,
        depths=(0, 1),
        mid_depth=0,
        heads=(2, 2),
        context_width=12,
        y_width=0,
        groups=2,
        guided=False,
    )
    return randomised(UNet(params))


def dit() -> DiT:
    sizes = {"channels": 4, "patch": 2, "width": 24, "blocks": 1, "heads": 3, "hidden": 20}
    return randomised(DiT(DiTParams(**sizes, context_width=12, y_width=6)))


def mmdit() -> MMDiT:
    sizes = {"channels": 4, "patch": 2, "width": 16, "heads": 2, "blocks": 2, "dual_blocks": 1}
    params = MMDiTParams(**sizes, normed=True, context_width=12, y_width=6, side=8, span=4)
    return randomised(MMDiT(params))


def flux() -> Flux:
    sizes = {"channels_in": 4, "channels_out": 4, "width": 16, "heads": 2, "joint_blocks": 1}
    params = FluxParams(
        **sizes, single_blocks=1, axes=(2, 2, 4), context_width=12, y_width=6, guided=True
    )
    return randomised(Flux(params))


def autoencoder() -> Autoencoder:
    params = AutoencoderParams(
        image_channels=3,
        latent_channels=4,
        patch=2,
        channels=(8, 16),
        blocks=1,
        mid_attention=True,
        latent_convs=True,
        groups=2,
    )
    return randomised(Autoencoder(params))


def tiny_autoencoder() -> TinyAutoencoder:
    params = TinyAutoencoderParams(image_channels=3, latent_channels=4, width=8, blocks=(1, 1))
    return randomised(TinyAutoencoder(params))


LATENTS, CONTEXT, VECTOR = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 12), torch.randn(2, 6)
TIMES, IMAGES = torch.tensor([750.3, 21.7]), torch.rand(2, 3, 16, 16) * 2 - 1
KINDS: dict[str, tuple[Callable[[], nn.Module], str, tuple[Tensor | None, ...]]] = {
    "U-Net": (unet, "__call__", (LATENTS, TIMES, CONTEXT, None)),
    "DiT": (dit, "__call__", (LATENTS, TIMES, CONTEXT, VECTOR)),
    "MM-DiT": (mmdit, "__call__", (LATENTS, TIMES, CONTEXT, VECTOR)),
    "FLUX": (flux, "__call__", (LATENTS, TIMES, CONTEXT, VECTOR, torch.tensor([3.5, 1.0]))),
    "autoencoder, encode": (autoencoder, "encode", (IMAGES,)),
    "autoencoder, decode": (autoencoder, "decode", (LATENTS,)),
    "tiny autoencoder, encode": (tiny_autoencoder, "encode", (IMAGES,)),
    "tiny autoencoder, decode": (tiny_autoencoder, "decode", (LATENTS,)),
}


@pytest.mark.parametrize(("make", "method", "inputs"), KINDS.values(), ids=KINDS)
def test_every_kind_of_network_agrees_with_eager(make, method, inputs):
    network, engine = make(), openvino()
    exact = first(getattr(network, method)(*inputs))
    found = first(engine(getattr(network, method), *inputs))
    assert psnr(found, exact) > 90
    for weight in network.parameters():
        weight.mul_(1.001)
    assert psnr(first(getattr(network, method)(*inputs)), exact) < 90


@pytest.mark.parametrize("kind", ["U-Net", "FLUX", "autoencoder, decode"])
def test_in_bfloat16_it_agrees_with_eager_float32(kind):
    make, method, inputs = KINDS[kind]
    network, engine = make(), openvino()
    exact = getattr(network, method)(*inputs)
    network.to(BF16)
    narrow = [each if each is None or each is TIMES else each.to(BF16) for each in inputs]
    found = engine(getattr(network, method), *narrow)
    assert found.dtype == BF16
    assert psnr(found, exact) > 40
    for weight in network.parameters():
        weight.mul_(1.2)
    assert psnr(getattr(network, method)(*narrow), exact) < 40


def first(made: Tensor | tuple[Tensor, ...]) -> Tensor:
    return made if isinstance(made, Tensor) else torch.cat(made)


def test_a_network_takes_what_it_remembers_of_a_prompt():
    network, engine = unet(), openvino()
    memory = engine(network.memory, CONTEXT)
    found = engine(network, LATENTS, TIMES, CONTEXT, None, memory=memory)
    assert psnr(found, network(LATENTS, TIMES, CONTEXT)) > 90


def test_attention_stays_one_operation():
    network = unet()
    for named in ({}, {"memory": network.memory(CONTEXT)}):
        inputs = taken((LATENTS, TIMES, CONTEXT, None), named)
        graph = openvino_graph.graph_of(network, "__call__", inputs)
        kinds = Counter(each.get_type_name() for each in graph.get_ops())
        attentions = sum(isinstance(each, Attention) for each in network.modules())
        assert kinds["ScaledDotProductAttention"] == attentions > 0
        assert kinds["Softmax"] == 0


def test_a_seed_is_the_same_picture_every_time(tiny_model):
    plain = Pipeline(tiny_model, source="tiny")
    pipe = Pipeline(replace(tiny_model, engine=ENGINES["openvino"]()), source="tiny")
    pictures = [pipe.generate("a fox", seed=seed, steps=2, cfg=3.0).latents for seed in (7, 7, 8)]
    assert torch.equal(pictures[0], pictures[1])
    assert not torch.equal(pictures[0], pictures[2])
    assert psnr(pictures[0], plain.generate("a fox", seed=7, steps=2, cfg=3.0).latents) > 60


def test_a_network_that_was_made_in_inference_mode_agrees_with_eager():
    with torch.inference_mode():
        network, engine = unet(), openvino()
        exact = network(LATENTS, TIMES, CONTEXT)
        memory = engine(network.memory, CONTEXT)
        found = engine(network, LATENTS, TIMES, CONTEXT, None, memory=memory)
    assert psnr(found, exact) > 90


class Small(nn.Module):
    """Large in weights and small in everything else, with a setting that no weight tells."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.linear = nn.Linear(64, 128)
        self.norm = nn.BatchNorm1d(128)

    def forward(self, x: Tensor, more: Tensor | None = None) -> Tensor:
        made = self.factor * self.norm(self.linear(x))
        return made if more is None else made + more


def small(factor: float = 2.0) -> Small:
    return randomised(Small(factor))


X = torch.randn(3, 64)


def close(found: Tensor, expected: Tensor) -> bool:
    return found.dtype == expected.dtype and torch.allclose(found, expected, atol=1e-5)


def in_place(network: Small) -> None:
    network.linear.weight.mul_(1.5)


def put(network: Small) -> None:
    network.linear.bias.data = network.linear.bias.data + 1


def buffer(network: Small) -> None:
    network.norm.running_mean.add_(1)


def lora(network: Small) -> None:
    change = LoRA(torch.randn(128, 2), torch.randn(2, 64), 1.0)
    fuse(network.linear.weight, Change("lora", change, Dial(1.0), 1.0))


@pytest.mark.parametrize("change", [in_place, put, buffer, lora])
def test_no_graph_is_of_other_weights(change, cache):
    network, engine = small(), openvino()
    before = engine(network, X)
    change(network)
    with pytest.warns(UserWarning, match="the Small has other weights"):
        found = engine(network, X)
    assert close(found, network(X))
    assert not close(found, before)
    assert torch.equal(engine(network, X), found)  # and nothing more is said
    assert len(list(cache.iterdir())) == 2  # the graph, and what was compiled of the first weights


def test_networks_of_one_kind_share_a_graph_and_no_weight(cache):
    one, two, engine = small(), small(), openvino()
    in_place(two)
    assert close(engine(one, X), one(X))
    assert close(engine(two, X), two(X))
    assert not close(one(X), two(X))
    (folder,) = (each for each in cache.iterdir() if each.is_dir())
    weights = sum(each.nbytes for each in one.parameters())
    assert sum(file.stat().st_size for file in folder.iterdir()) < weights
    assert len(files(cache)) == 2


def test_another_setting_shape_dtype_and_input_is_another_graph():
    network, engine = small(), openvino()
    for x in (X, X[:2], torch.randn(2, 5, 64)[:, 0], X):
        assert close(engine(network, x), network(x))
    more = torch.randn(3, 128)
    assert close(engine(network, X, more), network(X, more))
    assert close(engine(network, X, more=more), network(X, more))
    other = small(3.0)
    assert close(engine(other, X), other(X))
    with pytest.warns(UserWarning, match="other weights"):
        assert engine(network.to(BF16), X.to(BF16)).dtype == BF16


def test_only_the_last_shapes_stay_compiled():
    compiled: list[str] = []

    def counted(network: nn.Module, method: str, inputs: Inputs, lasting: bool) -> Executes:
        compiled.append(inputs.kind)
        return exactly(network, method, inputs, lasting)

    network, engine = small(), engine_by(counted)
    for rows in (1, 2, 1, 2, 3, 2, 1):  # 3 puts out 1, which then comes again
        engine(network, X[:rows])
    assert len(compiled) == 4


def test_a_second_process_neither_traces_nor_compiles(cache, monkeypatch):
    network = small()
    expected = openvino()(network, X)
    monkeypatch.setattr(openvino_model, "graph_of", None)
    assert torch.equal(openvino()(network, X), expected)
    in_place(network)
    untraced(network)  # what was compiled is of other weights
    monkeypatch.setattr(openvino_model, "graph_of", openvino_graph.graph_of)
    monkeypatch.setattr(openvino_graph, "_traced", None)
    assert close(openvino()(network, X), network(X))
    untraced(small(3.0))


def untraced(network: nn.Module) -> None:
    """Check that nothing was found on disk, where nothing can be traced."""
    with pytest.warns(UserWarning, match="cannot take it: 'NoneType' object is not callable"):
        openvino()(network, X)


def test_a_large_network_is_not_written(cache, monkeypatch):
    monkeypatch.setattr(openvino_model, "SMALL", 1000)
    network = small()
    for _ in range(2):
        assert close(openvino()(network, X), network(X))
    assert files(cache) == []


def test_what_was_not_used_for_longest_goes_first(cache, monkeypatch):
    monkeypatch.setattr(openvino_model, "ROOM", 100_000)
    network = small()
    for rows in (1, 2, 3, 1, 3):
        openvino()(network, X[:rows])
    kept = files(cache)
    assert 0 < len(kept) < 3
    monkeypatch.setattr(openvino_model, "graph_of", None)
    assert close(openvino()(network, X), network(X))


def test_what_another_process_deletes_meanwhile_does_no_harm(cache, monkeypatch):
    cache.mkdir()
    (cache / f"gone{openvino_model.KIND}").symlink_to("nowhere")
    network = small()
    assert close(openvino()(network, X), network(X))

    def deleted(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(openvino_model, "ROOM", 0)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", deleted)
        assert close(openvino()(network, X[:2]), network(X[:2]))


def test_what_is_kept_is_in_memory_once(cache):
    network, x = randomised(nn.Linear(512, 512)), torch.randn(3, 512)
    expected = openvino()(network, x)
    (file,) = files(cache)
    told = settings(network)
    made, _ = openvino_model.compiled_model(network, "__call__", taken((x,), {}), told, False)
    exported = made.export_model()
    size = file.stat().st_size
    assert size > 2**19

    tracemalloc.start()
    assert openvino_model.kept(file, told)
    most = tracemalloc.get_traced_memory()[1]
    assert most < size / 2  # besides the model's own
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    openvino_model.keep(file, SimpleNamespace(export_model=lambda: exported))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most - before < size / 2  # besides what is exported
    assert torch.equal(openvino()(network, x), expected)


def test_what_can_only_be_read_is_read(cache, monkeypatch):
    network = small()
    expected = openvino()(network, X)

    def refused(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(openvino_model, "graph_of", None)
    monkeypatch.setattr(Path, "touch", refused)
    assert torch.equal(openvino()(network, X), expected)


@pytest.mark.parametrize("name", ["auto", "openvino"])
def test_a_cache_that_cannot_be_written_is_said_once_and_does_no_harm(name, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(auto, "WORTH", 0)  # it is measured
    network, engine = small(), ENGINES[name]()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for rows in (1, 2):
            assert close(engine(network, X[:rows]), network(X[:rows]))
    lines = [str(each.message) for each in said if "is not kept in" in str(each.message)]
    assert len(lines) == 1
    assert "cannot write" in lines[0]


@contextmanager
def full(room: int) -> Iterator[None]:
    """No file can be longer, as on a disk that has no room for more."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 1000, 20_000])
def test_a_full_disk_is_said_and_does_no_harm(room, cache, monkeypatch):
    network = small()
    with pytest.warns(UserWarning, match="is not kept in") as said, full(room):
        assert close(openvino()(network, X), network(X))
    assert len(said) == 1  # and not that the network cannot be taken
    assert "\n" not in str(said[0].message)
    assert files(cache) == []
    assert not list(cache.glob(".*"))


def files(cache: Path) -> list[Path]:
    """What was compiled."""
    return list(cache.glob(f"*{openvino_model.KIND}"))


def cut(folder: Path) -> None:
    file = folder / openvino_graph.XML
    file.write_bytes(file.read_bytes()[:-100])


def flipped(folder: Path) -> None:
    file = folder / openvino_graph.BIN
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def lacking(folder: Path) -> None:
    (folder / openvino_graph.DIGEST).unlink()


def forged(folder: Path) -> None:
    (folder / openvino_graph.XML).write_text("<net")
    (folder / openvino_graph.DIGEST).write_text(openvino_graph._checksum(folder))


@pytest.mark.parametrize("damage", [cut, flipped, lacking, forged])
def test_a_damaged_graph_is_made_anew_and_said(damage, cache, monkeypatch):
    monkeypatch.setattr(openvino_model, "SMALL", 0)
    network = small()
    openvino()(network, X)
    (folder,) = cache.iterdir()
    damage(folder)
    healed(network, X)


def test_a_damaged_model_is_made_anew_and_said(cache):
    network = small()
    openvino()(network, X)
    (file,) = files(cache)
    data = file.read_bytes()
    rubbish = b"rubbish"
    forged = hashlib.sha256(rubbish).digest() + rubbish
    for damaged in (data[:-1], b"", data[:-1] + bytes([data[-1] ^ 1]), forged):
        file.write_bytes(damaged)
        healed(network, X)


def healed(network: nn.Module, x: Tensor) -> None:
    """Check that what is damaged is said in a line, and is whole thereafter."""
    with pytest.warns(UserWarning, match="is damaged, so it is made anew") as said:
        assert close(openvino()(network, x), network(x))
    assert len(said) == 1
    assert "\n" not in str(said[0].message)
    assert close(openvino()(network, x), network(x))


def test_what_is_hooked_counts_and_is_said_once():
    network, engine = small(), openvino()
    plain = engine(network, X)
    handle = network.linear.register_forward_hook(lambda *args: args[2] + 1)
    with pytest.warns(UserWarning, match="the Small runs without OpenVINO while something is"):
        assert torch.equal(engine(network, X), network(X))
    assert torch.equal(engine(network, X), network(X))
    assert not close(network(X), plain)
    handle.remove()
    assert torch.equal(engine(network, X), plain)


def test_gradients_flow():
    network, engine = small(), openvino()
    with torch.enable_grad(), pytest.warns(UserWarning, match="while gradients are asked for"):
        engine(network, X).sum().backward()
    assert network.linear.weight.grad is not None


class Strange(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) if input.sum() > 0 else input


def test_what_cannot_be_a_graph_runs_and_is_said_once():
    network, engine = Strange(3, 3), openvino()
    x = torch.rand(2, 3)
    with pytest.warns(UserWarning, match="which cannot take it") as said:
        assert torch.equal(engine(network, x), network(x))
    assert "\n" not in str(said[0].message)
    assert torch.equal(engine(network, x), network(x))
    assert engine(torch.add, x, x) is not None  # what belongs to no network


@pytest.mark.parametrize("error", [AttributeError("a\nb"), TypeError(), KeyError("c")])
def test_whatever_tracing_fails_by_is_said(error, monkeypatch):
    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(openvino_model, "graph_of", failing)
    network, engine = small(7.0), openvino()
    with pytest.warns(UserWarning, match="which cannot take it: (b|TypeError|'c')$"):
        assert torch.equal(engine(network, X), network(X))


def test_a_network_that_refuses_its_input_says_so_itself():
    class Picky(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            raise InputError("three at most")

    with pytest.raises(InputError, match="three at most"):
        openvino()(Picky(3, 3), torch.rand(2, 3))


def test_a_network_elsewhere_is_refused():
    with pytest.raises(InputError, match="the model is on meta: load it with device 'cpu'"):
        openvino()(small().to("meta"), X)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(InputError, match=r"pip install 'mezzotint\[openvino\]'"):
        ENGINES["openvino"]()
