"""The runs that make the embedded model, a block each, and the chains of them."""

from dataclasses import dataclass, replace

from mezzotint.families.storybook import SIZES, VISION
from mezzotint.training.data.paths import Walk
from mezzotint.training.recipe import PicturesRecipe, Recipe
from mezzotint.training.tasks.autoencoder import AutoencoderRecipe
from mezzotint.training.tasks.clip import CLIPRecipe
from mezzotint.training.tasks.denoiser import DenoiserRecipe
from mezzotint.training.tasks.folding import FoldingRecipe
from mezzotint.training.tasks.judge import JudgeRecipe, world_detector
from mezzotint.training.tasks.student import StudentRecipe
from mezzotint.training.tasks.text import TextRecipe

PICTURES = PicturesRecipe(size=256, scenes=100_000, single=30_000, wordings=4, held_out=1024)

_AUTOENCODER_TASK = AutoencoderRecipe(
    params=SIZES.autoencoder,
    crop=64,
    whole_share=0.15,
    gradient_weight=1.0,
    kl_weight=1e-6,
    equivariance_share=0.25,
    begin_run="",
    latent_noise=0.0,
    texture_weight=0.0,
)

AUTOENCODER = Recipe(
    name="autoencoder",
    task=_AUTOENCODER_TASK,
    pictures=replace(PICTURES, scenes=24_576, single=4096, wordings=1, held_out=512),
    seed=0,
    steps=30_000,
    batch=32,
    optimizer="adamw",
    lr=1e-3,
    betas=(0.9, 0.99),
    weight_decay=0.01,
    clip_norm=1.0,
    warmup=200,
    decay_share=0.5,
    decay_shape="linear",
    ema=0.999,
    bf16=True,
    compile=False,
    log_every=50,
    validate_every=1000,
    grid_every=2000,
    save_every=2000,
    save_minutes=5,
)

DECODER = replace(
    AUTOENCODER,
    name="decoder",
    task=replace(
        _AUTOENCODER_TASK,
        begin_run="autoencoder",
        latent_noise=0.3,
        whole_share=0.1,
        texture_weight=2.0,
    ),
    steps=6_000,
    lr=4e-4,
    warmup=100,
    decay_share=0.7,
)
"""A decoder that forgives what a denoiser gets wrong, and draws the strokes that no latent holds;
the latents stay what they are."""

TEXT = replace(
    AUTOENCODER,
    name="text",
    task=TextRecipe(SIZES.text),
    pictures=PICTURES,
    steps=1_500,
    batch=192,
    optimizer="muon",
    lr=1e-3,
    weight_decay=0.01,
    warmup=50,
    ema=0.99,
    validate_every=250,
    grid_every=250,
    save_every=250,
)

_DENOISER_TASK = DenoiserRecipe(
    network=SIZES.unet,
    autoencoder_run="autoencoder",
    text=SIZES.text,
    begin_run="",
    text_run="",
    times="logit_normal",
    times_mean=0.6,  # latents of twice the side bear twice the noise (Hoogeboom et al. 2301.11093)
    times_std=1.2,
    direction=0.5,
    caption_dropout=0.1,
    single_share=0.35,
    parts=0.0,
    prompts=(
        "a fox in the snow at night",
        "a neon cat in space",
        "three red apples",
        "a castle on a beach at sunset",
        "a robot to the left of a tree in a meadow",
        "a cat on top of a house",
        "a serene mountain lake at golden hour, watercolour painting",
        "a penguin wearing a top hat in a city",
    ),
)

DENOISER = replace(
    AUTOENCODER,
    name="denoiser",
    task=_DENOISER_TASK,
    pictures=PICTURES,
    steps=14_000,
    batch=48,
    lr=4e-4,
    betas=(0.9, 0.99),
    warmup=200,
    decay_share=0.5,
    ema=0.998,
    validate_every=1000,
    grid_every=1000,
    save_every=500,
)

_FURTHER_TASK = replace(
    _DENOISER_TASK, begin_run="denoiser", text_run="text", times_mean=0.3, single_share=0.4
)

FURTHER = replace(
    DENOISER,
    name="further",
    task=_FURTHER_TASK,
    steps=4_000,
    batch=64,
    optimizer="muon",
    lr=6e-4,
    warmup=100,
    decay_share=0.7,
    validate_every=500,
    grid_every=500,
    save_every=250,
)
"""The same network, told by a tower that can read, at the noise that decides shapes."""

_SHAPES_TASK = replace(_FURTHER_TASK, begin_run="further", parts=0.15, single_share=0.35)

SHAPES = replace(FURTHER, name="shapes", task=_SHAPES_TASK, steps=6_000)
"""The same network, which is also to say which part of which thing it draws at each place."""

_SCENES_TASK = replace(_SHAPES_TASK, begin_run="shapes", single_share=0.1)

SCENES = replace(SHAPES, name="scenes", task=_SCENES_TASK)
"""As long again, on scenes of several things from nearly the beginning."""

STUDENT = replace(
    AUTOENCODER,
    name="student",
    task=StudentRecipe(
        teacher="model",
        walk=Walk(cfg=4.0, steps=16, stops=4, spacing="trailing"),
        paths=4096,
        held_out_paths=64,
        rank=16,
        prompts=_DENOISER_TASK.prompts,
    ),
    pictures=DENOISER.pictures,
    steps=1_200,
    batch=64,
    lr=1e-3,
    warmup=20,
    ema=0.99,
    validate_every=100,
    grid_every=200,
    save_every=100,
)
"""Four steps for the teacher's many; it stands on a model, which a chain has to have made."""

FOLDED = replace(
    STUDENT,
    name="folded",
    task=FoldingRecipe(
        teacher="model",
        autoencoder_run="autoencoder",
        cfg=4.0,
        times="logit_normal",
        times_mean=0.6,
        times_std=1.2,
        rank=8,
        prompts=_DENOISER_TASK.prompts,
    ),
    pictures=AUTOENCODER.pictures,
)
"""Guidance in the weights; it stands on a model and on the autoencoder's run."""

JUDGE = replace(
    AUTOENCODER,
    name="judge",
    task=JudgeRecipe(world_detector()),
    pictures=PicturesRecipe(size=128, scenes=60_000, single=0, wordings=1, held_out=2048),
    steps=12_000,
    batch=64,
    lr=1e-3,
    weight_decay=0.05,
    clip_norm=4.0,
    ema=0.998,
)
"""Says what pictures show; no chain has it, for no generator is to be made with its help."""

_FLOW_TASK = replace(_SHAPES_TASK, network=SIZES.flow, begin_run="", single_share=0.25)

FLOW = replace(
    SHAPES,
    name="flow",
    task=_FLOW_TASK,
    steps=20_000,
    lr=1e-3,
    warmup=200,
    decay_share=0.5,
    validate_every=1000,
    grid_every=1000,
    save_every=500,
)
"""The transformer, from nothing, by what the U-Net's runs taught."""

CLIP = replace(
    AUTOENCODER,
    name="clip",
    task=CLIPRecipe(text=SIZES.text, vision=VISION, text_run="text", rivals=4096),
    pictures=replace(PICTURES, size=VISION.size, scenes=65_536, single=16_384),
    steps=4_000,
    batch=128,
    optimizer="muon",
    lr=1e-3,
    betas=(0.9, 0.98),
    weight_decay=0.1,
    warmup=100,
    validate_every=200,
    grid_every=400,
    save_every=200,
)
"""Its images learn to say what the denoisers' text tower reads."""

PRESETS: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        *(AUTOENCODER, DECODER, TEXT, DENOISER, FURTHER, SHAPES, SCENES),
        *(FLOW, CLIP, FOLDED, STUDENT),
    )
}


@dataclass(frozen=True)
class Chain:
    """Runs that follow one another, in sibling folders, and end in a model that can be loaded.

    Attributes:
        home: where the folders are, unless another place is asked for.
        runs: the recipe of each folder, in order.
    """

    home: str
    runs: dict[str, Recipe]


_TINY = PicturesRecipe(size=64, scenes=256, single=128, wordings=2, held_out=32)


def _smoke(recipe: Recipe, steps: int, batch: int) -> Recipe:
    return replace(
        recipe,
        name=f"smoke-{recipe.name}",
        pictures=_TINY,
        steps=steps,
        batch=batch,
        warmup=5,
        log_every=5,
        validate_every=steps,
        grid_every=steps,
        save_every=steps,
    )


def _few(task: DenoiserRecipe) -> DenoiserRecipe:
    return replace(task, prompts=task.prompts[:1])


_SMOKE_VISION = replace(VISION, size=_TINY.size)
_SMOKE = (
    _smoke(AUTOENCODER, steps=20, batch=16),
    _smoke(DECODER, steps=20, batch=16),
    _smoke(TEXT, steps=20, batch=16),
    _smoke(replace(DENOISER, task=_few(_DENOISER_TASK)), steps=20, batch=16),
    _smoke(replace(FURTHER, task=_few(_FURTHER_TASK)), steps=20, batch=16),
    _smoke(replace(SHAPES, task=_few(_SHAPES_TASK)), steps=20, batch=16),
    _smoke(replace(FLOW, task=_few(_FLOW_TASK)), steps=20, batch=16),
    _smoke(replace(CLIP, task=replace(CLIP.task, vision=_SMOKE_VISION)), steps=20, batch=32),
)

CHAINS: dict[str, Chain] = {
    "storybook": Chain("runs", PRESETS),
    "smoke": Chain("runs/smoke", {r.name.removeprefix("smoke-"): r for r in _SMOKE}),
}


def untold(chain: Chain) -> Chain:
    """The chain for pictures of which nothing is known but their captions.

    Nobody can ask a text tower what these say, so the first denoiser's tower learns along with it,
    all others read with that one, and no run goes on from it. Nor can a denoiser be asked what of
    which thing is where.
    """
    [first, *_] = [name for name, run in chain.runs.items() if isinstance(run.task, DenoiserRecipe)]
    runs: dict[str, Recipe] = {}
    for name, run in chain.runs.items():
        match run.task:
            case TextRecipe():
                continue
            case DenoiserRecipe(begin_run=begin) if begin:
                continue
            case DenoiserRecipe(text_run=tower) as task if tower:
                runs[name] = replace(run, task=replace(task, text_run=first, parts=0.0))
            case CLIPRecipe(text_run=tower) as task if tower:
                runs[name] = replace(run, task=replace(task, text_run=first))
            case _:
                runs[name] = run
    return Chain(chain.home, runs)
