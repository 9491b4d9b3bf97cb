"""Mezzotint: latent diffusion in PyTorch, from the forward-process equation to a service."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mezzotint.adapters.controlnet import controlnet
    from mezzotint.adapters.embedding import embedding
    from mezzotint.adapters.ip_adapter import ip_adapter
    from mezzotint.adapters.lora import lora
    from mezzotint.adapters.savings import deepcache, first_block, token_merging
    from mezzotint.errors import InputError
    from mezzotint.pipeline.editing.masks import box, relevant, word
    from mezzotint.pipeline.load import load
    from mezzotint.pipeline.pipeline import Output, Pipeline, Step

__version__ = "0.1.0"
__all__ = [
    "InputError",
    "Output",
    "Pipeline",
    "Step",
    "box",
    "controlnet",
    "deepcache",
    "embedding",
    "first_block",
    "ip_adapter",
    "load",
    "lora",
    "relevant",
    "token_merging",
    "word",
]

# torch's threads spin while they wait for each other; on cores that are busy with something else
# that takes ten times as long as the work. So many turns cost an idle machine nothing.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# maps of a large picture come and go; in huge pages Linux hands them out in a quarter of the time
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

_HOMES = {
    "InputError": "mezzotint.errors",
    "Output": "mezzotint.pipeline.pipeline",
    "Pipeline": "mezzotint.pipeline.pipeline",
    "Step": "mezzotint.pipeline.pipeline",
    "box": "mezzotint.pipeline.editing.masks",
    "controlnet": "mezzotint.adapters.controlnet",
    "deepcache": "mezzotint.adapters.savings",
    "embedding": "mezzotint.adapters.embedding",
    "first_block": "mezzotint.adapters.savings",
    "ip_adapter": "mezzotint.adapters.ip_adapter",
    "load": "mezzotint.pipeline.load",
    "lora": "mezzotint.adapters.lora",
    "relevant": "mezzotint.pipeline.editing.masks",
    "token_merging": "mezzotint.adapters.savings",
    "word": "mezzotint.pipeline.editing.masks",
}


def __getattr__(name: str) -> Any:
    """Import what is exported when it is first used, so that `import mezzotint` costs nothing."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
