"""What learns somebody's own pictures, on the embedded model and on Stable Diffusion's families."""

from dataclasses import replace

from mezzotint.training.presets.storybook import DENOISER
from mezzotint.training.recipe import Recipe
from mezzotint.training.tasks.personal import LoRARecipe
from mezzotint.training.tasks.personal_word import InversionRecipe

_LORA_TASK = LoRARecipe(
    base="",
    rank=8,
    alpha=8.0,
    targets="linear",
    text=False,
    decomposed=False,
    instance="",
    caption="",
    trigger="",
    class_prompt="",
    prior_weight=0.0,
    class_pictures=64,
    kept=0.0,
    caption_dropout=0.1,
    mirror=False,
    times="logit_normal",
    times_mean=0.6,  # as the embedded model was trained
    times_std=1.2,
    weighting="none",
    form="kohya",
    prompts=("{}", "{} in the snow", "{} on a beach at sunset", "{}, watercolour painting"),
)

LORA = replace(
    DENOISER,
    name="lora",
    task=replace(_LORA_TASK, kept=3.0, caption_dropout=0.0),
    pictures=replace(DENOISER.pictures, held_out=8),
    steps=400,
    batch=8,
    lr=5e-4,
    weight_decay=0.0,
    warmup=20,
    ema=0.98,
    log_every=20,
    validate_every=100,
    grid_every=200,
    save_every=100,
)

DREAMBOOTH = replace(
    LORA,
    name="dreambooth",
    task=replace(_LORA_TASK, prior_weight=1.0, caption_dropout=0.0),
)
"""A subject, and its class beside it; each step sees as many pictures of both."""

INVERSION = replace(
    LORA,
    name="textual-inversion",
    task=InversionRecipe(
        base="",
        word="",
        initial="",
        vectors=2,
        templates=("{}", "a {}", "one {}", "a picture of {}", "a picture of a {}"),
        caption_dropout=0.0,
        mirror=False,
        times="logit_normal",
        times_mean=0.6,
        times_std=1.2,
        weighting="none",
        prompts=_LORA_TASK.prompts,
    ),
    steps=1000,
    lr=5e-3,
    ema=0.9,
)

_SD_TIMES = {"times": "uniform", "times_mean": 0.0, "times_std": 1.0, "weighting": "min_snr"}


def _for_stable_diffusion(recipe: Recipe, steps: int, batch: int, lr: float) -> Recipe:
    """The recipe for 1.x and 2.x at 512 pixels; XL takes ``pictures.size=1024``."""
    task = replace(recipe.task, **_SD_TIMES)
    assert isinstance(task, LoRARecipe | InversionRecipe)
    return replace(
        recipe,
        name=f"{recipe.name}-sd",
        task=task,
        pictures=replace(recipe.pictures, size=512),
        steps=steps,
        batch=batch,
        lr=lr,
    )


LORA_SD = _for_stable_diffusion(
    replace(LORA, task=replace(_LORA_TASK, rank=16, alpha=16.0)), steps=1500, batch=2, lr=1e-4
)
DREAMBOOTH_SD = _for_stable_diffusion(
    replace(DREAMBOOTH, task=replace(DREAMBOOTH.task, rank=16, alpha=16.0, class_pictures=100)),
    steps=1000,
    batch=1,
    lr=1e-4,
)
INVERSION_SD = _for_stable_diffusion(INVERSION, steps=3000, batch=2, lr=5e-3)

PERSONAL = (LORA, DREAMBOOTH, INVERSION, LORA_SD, DREAMBOOTH_SD, INVERSION_SD)
