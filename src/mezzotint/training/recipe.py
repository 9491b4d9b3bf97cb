"""A training run, described in full."""

from dataclasses import dataclass
from typing import Literal

from mezzotint.training.schedule import Decay
from mezzotint.training.tasks.autoencoder import AutoencoderRecipe
from mezzotint.training.tasks.clip import CLIPRecipe
from mezzotint.training.tasks.controlnet import ControlNetRecipe
from mezzotint.training.tasks.denoiser import DenoiserRecipe
from mezzotint.training.tasks.depth import DepthRecipe
from mezzotint.training.tasks.folding import FoldingRecipe
from mezzotint.training.tasks.instruct import InstructRecipe
from mezzotint.training.tasks.ip_adapter import IPAdapterRecipe
from mezzotint.training.tasks.judge import JudgeRecipe
from mezzotint.training.tasks.personal import LoRARecipe
from mezzotint.training.tasks.personal_word import InversionRecipe
from mezzotint.training.tasks.student import StudentRecipe
from mezzotint.training.tasks.text import TextRecipe

Optimizer = Literal["adamw", "muon"]

TaskRecipe = (
    AutoencoderRecipe
    | CLIPRecipe
    | ControlNetRecipe
    | DenoiserRecipe
    | DepthRecipe
    | FoldingRecipe
    | IPAdapterRecipe
    | InstructRecipe
    | InversionRecipe
    | JudgeRecipe
    | LoRARecipe
    | StudentRecipe
    | TextRecipe
)
"""The settings of one task, whichever it is."""


@dataclass(frozen=True)
class PicturesRecipe:
    """The pictures to train on, where no folder of pictures is given.

    Attributes:
        size: pixels along a side.
        scenes: scenes of the storybook world.
        single: how many of them show one object each.
        wordings: captions for each scene.
        held_out: further scenes that only validation sees.
    """

    size: int
    scenes: int
    single: int
    wordings: int
    held_out: int


@dataclass(frozen=True)
class Recipe:
    """A training run, from the seed to the last step.

    Attributes:
        name: what the run is called.
        task: what is trained, and the settings of that task alone.
        pictures: the pictures.
        seed: everything random follows from it.
        steps: optimizer steps.
        batch: samples a step, over all processes.
        optimizer: what moves the weights; with ``muon``, AdamW moves all that is not a matrix
            within the network.
        lr: the learning rate at its peak.
        betas: AdamW's.
        weight_decay: of matrices and kernels.
        clip_norm: gradients longer than this are shortened to it.
        warmup: steps until the learning rate is at its peak.
        decay_share: share of the steps, the last ones, over which it falls to 0.
        decay_shape: how it falls.
        ema: decay of the average of the weights.
        bf16: bfloat16 autocast over float32 weights, on devices that have it.
        compile: ``torch.compile`` the network.
        log_every, validate_every, grid_every, save_every: steps between these.
        save_minutes: minutes after which a checkpoint is due in any case.
    """

    name: str
    task: TaskRecipe
    pictures: PicturesRecipe
    seed: int
    steps: int
    batch: int
    optimizer: Optimizer
    lr: float
    betas: tuple[float, float]
    weight_decay: float
    clip_norm: float
    warmup: int
    decay_share: float
    decay_shape: Decay
    ema: float
    bf16: bool
    compile: bool
    log_every: int
    validate_every: int
    grid_every: int
    save_every: int
    save_minutes: float
