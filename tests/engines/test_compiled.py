"""Compiled networks: they agree with eager ones, and nothing stale, damaged or foreign runs."""

import copy
import os
import warnings
from dataclasses import replace

import pytest
import torch
from compilers import compiler
from oracles import psnr
from torch import nn

from mezzotint.engines import compiled as engine_module
from mezzotint.engines.calls import computes, pure, weights
from mezzotint.engines.compiled import STORE, compiled
from mezzotint.engines.laid import Slot
from mezzotint.errors import InputError
from mezzotint.files.compiled import FOLDER
from mezzotint.models.autoencoder import Autoencoder, AutoencoderParams
from mezzotint.models.unet import UNet, UNetParams

UNET = UNetParams(
    channels_in=4,
    channels_out=4,
    channels=(16,),
    blocks=1,
    depths=(1,),
    mid_depth=0,
    heads=(2,),
    context_width=8,
    y_width=0,
    groups=2,
    guided=False,
)
AUTOENCODER = AutoencoderParams(
    image_channels=3,
    latent_channels=4,
    patch=2,
    channels=(8,),
    blocks=1,
    mid_attention=False,
    latent_convs=True,
    groups=1,
)


class Both(nn.Module):
    """A U-Net and a decoder: to compile one network takes less than to compile two."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = UNet(UNET)
        self.autoencoder = Autoencoder(AUTOENCODER)
        for weight in self.parameters():  # nothing stays zero, so that everything is heard
            nn.init.normal_(weight, mean=float(weight.ndim == 1), std=0.1)

    def forward(self, x, t, context, told=None):
        dtype = self.unet.conv_in.weight.dtype
        predicted = self.unet(x.to(dtype), t, context.to(dtype))
        return predicted, self.autoencoder.decode(x)


def asked(side: int = 8) -> tuple[torch.Tensor, ...]:
    return torch.randn(2, 4, side, side), torch.tensor([30.0, 700.0]), torch.randn(2, 5, 8)


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    """A cache of its own, no gradients, and nobody says anything that the test does not expect."""
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def quietly(engine, run, *inputs, **named):
    """A call that may say that it compiles, and that it will have to again."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "compiling|.*again next time")
        return engine(run, *inputs, **named)


@compiler
def test_compiled_code_agrees_is_kept_and_takes_weights_as_they_are(tmp_path, monkeypatch):
    network, inputs = Both().eval(), asked()
    exact, picture = network(*inputs)
    network.unet.bfloat16()
    predicted, decoded = quietly(compiled(), network, *inputs)
    assert predicted.dtype == torch.bfloat16
    assert psnr(predicted, exact) >= 40
    torch.testing.assert_close(decoded, picture, rtol=1e-4, atol=1e-5)
    assert psnr(predicted.roll(1, 2), exact) < 40  # the measure tells

    def compile_again(*_):
        raise AssertionError("what was kept was not found")

    monkeypatch.setattr(engine_module, "compiled_package", compile_again)
    later = compiled()  # as a second process
    again = later(network, *inputs)
    assert all(map(torch.equal, again, (predicted, decoded)))  # same seed, same picture

    convolution = network.autoencoder.from_latent  # its weight is packed, the next one's is not
    for weight in (convolution.weight, network.unet.time.last.bias):
        weight.data = weight.data * 2
        wanted, shown = network(*inputs)
        before, (predicted, decoded) = (predicted, decoded), later(network, *inputs)
        assert psnr(predicted, wanted.float()) >= 40
        torch.testing.assert_close(decoded, shown, rtol=1e-4, atol=1e-5)
        assert not all(map(torch.equal, before, (predicted, decoded)))

    other = Both().eval()
    other.unet.bfloat16()
    torch.testing.assert_close(later(other, *inputs)[1], other(*inputs)[1], rtol=1e-4, atol=1e-5)


@pytest.fixture
def made(monkeypatch):
    """What is compiled, in a stand-in that is of no weights, as compiled code is not."""
    made = []

    class Stand:
        def __init__(self, package):
            if package == b"broken":
                raise RuntimeError("not this machine's")
            self.function, self.slots = made[int(package)]

        def __call__(self, values, tensors):
            return self.function(values, tensors)

    def package(network, method, inputs, int8):
        slots = [Slot(k) for k in range(len(weights(network)))]
        made.append((pure(copy.deepcopy(network), method, inputs), slots))
        return str(len(made) - 1).encode()

    monkeypatch.setattr(engine_module, "compiled_package", package)
    monkeypatch.setattr(engine_module, "Program", Stand)
    return made


def small(heads: int = 2) -> UNet:
    network = UNet(replace(UNET, heads=(heads,))).eval()
    for weight in network.parameters():
        nn.init.normal_(weight, mean=float(weight.ndim == 1), std=0.1)
    return network


def test_each_shape_and_dtype_is_compiled_once(made):
    engine, network = compiled(), small()
    for count, (inputs, dtype) in enumerate(
        [
            (asked(), torch.float32),
            (asked(10), torch.float32),
            (asked(), torch.bfloat16),
        ]
    ):
        network.to(dtype)
        x, t, context = inputs
        for _ in range(2):
            found = quietly(engine, network, x.to(dtype), t, context.to(dtype))
            assert torch.equal(found, network(x.to(dtype), t, context.to(dtype)))
            assert len(made) == count + 1


def test_methods_are_told_apart_and_structures_are_kept(made):
    engine, network = compiled(), Autoencoder(AUTOENCODER).eval()
    images, latents = torch.randn(1, 3, 8, 8), torch.randn(1, 4, 4, 4)
    assert torch.equal(quietly(engine, network.decode, latents), network.decode(latents))
    mean, logvar = quietly(engine, network.encode, images)
    assert torch.equal(mean, network.encode(images)[0])
    assert torch.equal(logvar, network.encode(images)[1])
    assert len(made) == 2


def test_networks_of_one_shape_share_code_and_no_weights(made):
    engine, inputs = compiled(), asked()
    for network in (small(), small()):
        assert torch.equal(quietly(engine, network, *inputs), network(*inputs))
    assert len(made) == 1


def test_networks_that_differ_in_what_no_weight_shows_do_not_share_code(made):
    one, other, inputs = small(2), small(4), asked()
    other.load_state_dict(one.state_dict())
    engine = compiled()
    first, second = (quietly(engine, network, *inputs) for network in (one, other))
    assert len(made) == 2
    assert torch.equal(second, other(*inputs))
    assert not torch.equal(first, second)  # so it would have mattered
    assert computes(one) != computes(other)


@pytest.mark.parametrize("how", ["in place", "put", "moved", "replaced"])
def test_a_changed_weight_counts_at_once(made, how):
    engine, network, inputs = compiled(), small(), asked()
    before = quietly(engine, network, *inputs)
    layer = network.conv_out
    match how:
        case "in place":
            layer.weight.add_(0.1)
        case "put":
            layer.weight.data = layer.weight.data + 0.1
        case "moved":
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last) + 1
        case "replaced":
            layer.weight = nn.Parameter(layer.weight + 0.1)
    after = engine(network, *inputs)
    assert torch.equal(after, network(*inputs))
    assert not torch.equal(after, before)
    assert len(made) == 1


def test_what_is_kept_is_found_by_another_engine_of_the_same_machine_alone(made, monkeypatch):
    network, inputs = small(), asked()
    quietly(compiled(), network, *inputs)
    assert torch.equal(compiled()(network, *inputs), network(*inputs))
    assert len(made) == 1
    monkeypatch.setattr(engine_module, "machine", lambda: "another")
    with pytest.warns(UserWarning, match=r"^compiling UNet\.forward for 2x4x8x8, once"):
        compiled()(network, *inputs)
    assert len(made) == 2


def kept(tmp_path):
    (path,) = (tmp_path / FOLDER).iterdir()
    return path


def test_a_damaged_file_is_compiled_anew_and_said_in_a_line(made, tmp_path):
    network, inputs = small(), asked()
    quietly(compiled(), network, *inputs)
    path = kept(tmp_path)
    path.write_bytes(b"1" + path.read_bytes()[1:] + b"1")
    with pytest.warns(UserWarning, match=f"^{path} is damaged, so it is compiled anew$"):
        found = quietly(compiled(), network, *inputs)
    assert torch.equal(found, network(*inputs))
    assert len(made) == 2
    compiled()(network, *inputs)  # the whole file is there again, and nothing is said
    assert len(made) == 2


def test_a_file_of_another_network_is_not_taken_for_this_ones(made, tmp_path):
    one, other, inputs = small(2), small(4), asked()
    quietly(compiled(), one, *inputs)
    ones = kept(tmp_path)
    data = ones.read_bytes()
    ones.unlink()
    quietly(compiled(), other, *inputs)
    kept(tmp_path).write_bytes(data)  # whole, but of the other
    with pytest.warns(UserWarning, match="is damaged"):
        found = quietly(compiled(), other, *inputs)
    assert torch.equal(found, other(*inputs))


def test_what_cannot_be_loaded_is_compiled_anew(made):
    network, inputs, engine = small(), asked(), compiled()
    quietly(engine, network, *inputs)
    (key,) = engine._programs
    STORE.forget(key)
    STORE.keep(key, b"broken")
    with pytest.warns(UserWarning, match=r"is compiled anew, .*not this machine's"):
        assert torch.equal(quietly(compiled(), network, *inputs), network(*inputs))
    compiled()(network, *inputs)
    assert len(made) == 2


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owner here")
@pytest.mark.parametrize("whose", ["group's folder", "group's file", "link", "another's"])
def test_what_others_can_write_is_not_loaded(made, tmp_path, monkeypatch, whose):
    network, inputs = small(), asked()
    quietly(compiled(), network, *inputs)
    path = kept(tmp_path)
    match whose:
        case "group's folder":
            path.parent.chmod(0o770)
        case "group's file":
            path.chmod(0o660)
        case "link":
            path.rename(tmp_path / "elsewhere")
            path.symlink_to(tmp_path / "elsewhere")
        case "another's":
            monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.warns(UserWarning, match="you alone must own it; so it is compiled anew"):
        found = quietly(compiled(), network, *inputs)
    assert torch.equal(found, network(*inputs))
    assert len(made) == 2


def test_a_cache_that_cannot_be_written_is_said_and_does_no_harm(made, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MEZZOTINT_CACHE", str(tmp_path / "file"))
    network, inputs = small(), asked()
    with pytest.warns(UserWarning, match=r"^cannot write .*file: .*compiled anew$"):
        assert torch.equal(quietly(compiled(), network, *inputs), network(*inputs))
    with pytest.warns(UserWarning, match=r"^cannot write .*file: .*again next time$"):
        STORE.keep("key", b"")


def test_hooks_run_as_pytorch_does_it_which_is_said_once(made):
    engine, network, inputs = compiled(), small(), asked()
    plain = quietly(engine, network, *inputs)
    handle = network.conv_out.register_forward_hook(lambda layer, inputs, output: output + 1)
    with pytest.warns(UserWarning, match=r"^UNet\.forward runs as PyTorch does it: .*hooked"):
        assert torch.equal(quietly(engine, network, *inputs), network(*inputs))
    hooked = engine(network, *inputs)  # a second warning would be an error
    assert not torch.equal(hooked, plain)
    handle.remove()
    assert torch.equal(engine(network, *inputs), plain)
    assert len(made) == 1


def test_gradients_autocast_and_training_are_pytorchs(made):
    engine, network, (x, *rest) = compiled(), small(), asked()
    with torch.enable_grad():
        assert engine(network, x, *rest).requires_grad
    with torch.autocast("cpu", torch.bfloat16):
        assert engine(network, x, *rest).dtype == torch.bfloat16
    engine(network.train(), x, *rest)
    assert engine(torch.add, x, x).equal(2 * x)  # of no network
    assert not made


@compiler
def test_bad_input_is_told_by_the_network():
    engine, network = compiled(), Autoencoder(AUTOENCODER).eval()
    for _ in range(2):
        with pytest.raises(InputError, match="multiples of 2"):
            quietly(engine, network.encode, torch.randn(1, 3, 7, 8))


def test_without_a_compiler_networks_run_as_pytorch_does_it():
    from torch._inductor import config

    engine, network, inputs = compiled(), small(), asked()
    line = "^UNet.forward runs as PyTorch does it: there is no C\\+\\+ compiler: install"
    with config.patch({"cpp.cxx": (None, "no-such-compiler")}):
        with pytest.warns(UserWarning, match=line):
            found = quietly(engine, network, *inputs)
        assert torch.equal(found, network(*inputs))
        engine(network, *inputs)  # a second warning would be an error


def test_out_of_memory_is_said_and_runs_as_pytorch_does_it(monkeypatch):
    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr(engine_module, "compiled_package", exhausted)
    engine, network, inputs = compiled(), small(), asked()
    with pytest.warns(UserWarning, match=r"runs as PyTorch does it: MemoryError$"):
        assert torch.equal(quietly(engine, network, *inputs), network(*inputs))
