"""What lets the embedded model see a picture: IP-Adapters, and edits by instruction."""

from dataclasses import replace

from mezzotint.training.presets.storybook import DENOISER
from mezzotint.training.tasks.instruct import InstructRecipe
from mezzotint.training.tasks.ip_adapter import IPAdapterRecipe

IP_ADAPTER = replace(
    DENOISER,
    name="ip-adapter",
    task=IPAdapterRecipe(
        base="",
        encoder="",
        learns="content",
        tokens=12,
        times="logit_normal",
        times_mean=0.6,
        times_std=1.2,
        direction=0.5,
        dropout=0.05,
        words=0.05,
        ahead=3_000,
        reach=1.5,
    ),
    pictures=replace(DENOISER.pictures, scenes=16_384, single=0, held_out=256),
    steps=1_500,
    batch=24,
    optimizer="adamw",
    lr=1e-3,
    warmup=50,
    ema=0.998,
    validate_every=300,
    grid_every=300,
    save_every=150,
)
"""The things of a picture, elsewhere; it stands on a model with an image tower."""

IP_STYLE = replace(
    IP_ADAPTER,
    name="ip-style",
    task=replace(IP_ADAPTER.task, learns="style", tokens=4, reach=1.0),
    pictures=replace(IP_ADAPTER.pictures, scenes=4_096),
    steps=350,
    warmup=20,
    validate_every=70,
    grid_every=175,
)
"""The style of a picture, for other things."""

INSTRUCT = replace(
    IP_ADAPTER,
    name="instruct",
    task=InstructRecipe(
        base="",
        rank=32,
        times="logit_normal",
        times_mean=0.6,
        times_std=1.2,
        direction=0.5,
        dropout=0.05,
        changed=0.5,
    ),
    pictures=replace(DENOISER.pictures, scenes=16_384, single=0, held_out=512),
    steps=1_800,
    batch=48,
    lr=1e-3,
    warmup=100,
)
"""Pictures changed as they are told."""

STEERING = (IP_ADAPTER, IP_STYLE, INSTRUCT)
