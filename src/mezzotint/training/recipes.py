"""What is trained, on what, for how long: recipes, and the table of presets."""

import tomllib
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from mezzotint.errors import InputError, choose, unknown
from mezzotint.families.storybook import STORYBOOK as STORYBOOK_FAMILY
from mezzotint.training.schedule import Decay
from mezzotint.training.tasks.autoencoder import AutoencoderRecipe

Spec = TypeVar("Spec")


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
        lr: AdamW's learning rate at its peak.
        betas: AdamW's.
        weight_decay: AdamW's, on matrices and kernels.
        clip_norm: gradients longer than this are shortened to it.
        warmup: steps until the learning rate is at its peak.
        decay_share: share of the steps, the last ones, over which it falls to 0.
        decay_shape: how it falls.
        ema: decay of the average of the weights.
        bf16: bfloat16 autocast over float32 weights.
        compile: ``torch.compile`` the network.
        log_every, validate_every, grid_every, save_every: steps between these.
        save_minutes: minutes after which a checkpoint is due in any case.
    """

    name: str
    task: AutoencoderRecipe
    pictures: PicturesRecipe
    seed: int
    steps: int
    batch: int
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


STORYBOOK = PicturesRecipe(size=128, scenes=100_000, single=30_000, wordings=4, held_out=1024)

AUTOENCODER = Recipe(
    name="autoencoder",
    task=AutoencoderRecipe(
        params=STORYBOOK_FAMILY.autoencoder,
        crop=64,
        gradient_weight=1.0,
        kl_weight=1e-6,
        equivariance_share=0.25,
    ),
    pictures=STORYBOOK,
    seed=0,
    steps=10_000,
    batch=32,
    lr=1e-3,
    betas=(0.9, 0.99),
    weight_decay=0.01,
    clip_norm=1.0,
    warmup=200,
    decay_share=0.4,
    decay_shape="linear",
    ema=0.999,
    bf16=True,
    compile=False,
    log_every=50,
    validate_every=1000,
    grid_every=1000,
    save_every=2000,
    save_minutes=5,
)

PRESETS: dict[str, Recipe] = {recipe.name: recipe for recipe in (AUTOENCODER,)}


def resolve(recipe: str | Path, overrides: dict[str, Any]) -> Recipe:
    """The preset of this name or the recipe in this TOML file, with fields replaced.

    Raises:
        InputError: no such preset or file, no such field, or a value of the wrong type.
    """
    path = Path(recipe)
    named = path.suffix != ".toml"
    chosen = choose("recipe", str(recipe), PRESETS) if named else _from_toml(path)
    return _replaced(chosen, overrides, f"recipe {chosen.name!r}")


def _from_toml(path: Path) -> Recipe:
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise InputError(f"cannot read recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}") from error
    if "base" not in table:
        raise InputError(f'{path} names no base: begin with base = "{next(iter(PRESETS))}"')
    base = choose("recipe", str(table.pop("base")), PRESETS)
    return _replaced(base, {"name": path.stem, **table}, str(path))


def _replaced(spec: Spec, values: dict[str, Any], source: str) -> Spec:
    """A dataclass with some fields replaced, nested ones by tables, every value checked."""
    hints = get_type_hints(type(spec))
    names = [field.name for field in fields(cast(Any, spec))]
    new: dict[str, Any] = {}
    for name, value in values.items():
        if name not in names:
            raise InputError(f"{source}: {unknown('field', name, names)}")
        old = getattr(spec, name)
        if is_dataclass(old):
            if not isinstance(value, dict):
                raise InputError(f"{source}: {name} must be a table, not {value!r}")
            new[name] = _replaced(old, cast("dict[str, Any]", value), f"{source}: {name}")
        else:
            new[name] = _typed(value, hints[name], f"{source}: {name}")
    return replace(cast(Any, spec), **new)


def _typed(value: Any, hint: Any, what: str) -> Any:
    """``value`` as the type ``hint`` has it."""
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        if isinstance(value, (list, tuple)):
            many = cast("list[Any]", list(value))
            if parts[-1] is Ellipsis:
                return tuple(_typed(v, parts[0], what) for v in many)
            if len(many) == len(parts):
                return tuple(_typed(v, p, what) for v, p in zip(many, parts, strict=True))
        raise InputError(f"{what} must be a list like {hint}, not {value!r}")
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise InputError(f"{what}: {unknown('value', str(value), get_args(hint))}")
        return value
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise InputError(f"{what} must be of type {hint.__name__}, not {value!r}")
    return value
