"""What every test has: one core, no network, and a tiny model if it asks for it."""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side, one core each

from collections.abc import Iterator

import network
import pytest
from hypothesis import settings

# what is new in a change has to explain a red CI, so it tries the same examples every time
settings.register_profile(
    "mezzotint", deadline=None, print_blob=True, derandomize="CI" in os.environ
)
settings.load_profile("mezzotint")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Let a test that draws numbers draw the same ones every time."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def _eager() -> Iterator[None]:
    """No test measures engines, however slow the machine is today, but those of measuring."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mezzotint.engines.auto.WORTH", float("inf"))
        yield


@pytest.fixture(scope="session")
def tiny_model():
    """A model of the storybook family's shape with random weights, quick enough for any test."""
    import torch

    from mezzotint.diffusion import Process
    from mezzotint.families.base import Family, Model, first_pooled
    from mezzotint.families.text import Frame, TextEncoder, bare
    from mezzotint.models.autoencoder import Autoencoder, AutoencoderParams
    from mezzotint.models.clip import CLIPText, CLIPTextParams, TowerParams
    from mezzotint.models.unet import UNet, UNetParams
    from mezzotint.training.tokenizer import BEGIN, END, train_tokenizer

    captions = ["a fox in the snow at night", "a red apple on a blue background"]
    tokenizer = train_tokenizer(captions, vocabulary=400, length=24)
    begin, end = tokenizer.token_to_id(BEGIN), tokenizer.token_to_id(END)
    family = Family(
        name="tiny",
        release="",
        process=Process.flow(),
        prediction="flow",
        time_scale=1000.0,
        latent_mean=0.0,
        latent_std=1.0,
        reads=(),
        join=first_pooled,
        zero_blank=False,
        size=32,
        smallest=16,
        largest=64,
        multiple=4,
        steps=4,
        cfg=3.0,
        sampler="dpmpp_2m",
        spacing="linspace",
        stops_short=False,
        shift=None,
        guidance=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = UNet(
            UNetParams(
                channels_in=4,
                channels_out=4,
                channels=(32, 64),
                blocks=1,
                depths=(1, 1),
                mid_depth=1,
                heads=(2, 4),
                context_width=32,
                y_width=32,
                groups=2,
                guided=False,
            )
        )
        autoencoder = Autoencoder(
            AutoencoderParams(
                image_channels=3,
                latent_channels=4,
                patch=2,
                channels=(16, 16),
                blocks=1,
                mid_attention=False,
                latent_convs=False,
                groups=1,
            )
        )
        text = CLIPText(
            CLIPTextParams(
                tower=TowerParams(width=32, layers=1, heads=2, hidden=64, activation="gelu"),
                vocabulary=tokenizer.get_vocab_size(),
                length=24,
                end_token=end,
                projection=0,
            )
        )
        for module in (network, autoencoder, text):
            for weight in module.parameters():  # nothing stays zero, so that everything is heard
                torch.nn.init.normal_(weight, mean=float(weight.ndim == 1), std=0.1)
    frame = Frame(begin, end, pad=end, comma=None, length=22, repeats=False)
    return Model(
        family=family,
        network=network.eval(),
        autoencoder=autoencoder.eval(),
        encoders=(TextEncoder(text.eval(), bare(tokenizer), frame),),
        latent_mean=torch.zeros(1, 4, 1, 1),
        latent_std=torch.ones(1, 4, 1, 1),
        maps={},
        digest="0123456789",
    )


@pytest.fixture(scope="session")
def tiny(tiny_model):
    """A pipeline of the tiny model."""
    from mezzotint.pipeline.pipeline import Pipeline

    return Pipeline(tiny_model, source="tiny")


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """No test may ask the network for anything."""
    with pytest.MonkeyPatch.context() as patch:
        network.block(patch)
        yield
