"""Where the layers that an adapter's file names are in our networks.

A file's name of a layer is a prefix that says which network, and the layer's name in a published
release, its dots kept (PEFT, diffusers, ComfyUI) or made underscores (kohya, LyCORIS).
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch import Tensor

from mezzotint.adapters.patches import can_live
from mezzotint.checkpoints.keymap import KeyMap
from mezzotint.families.base import Part

# by network; FLUX.1 has no second CLIP, and its T5, elsewhere the third encoder, is the second
_DOTTED = {
    "network": (
        "unet.",
        "transformer.",
        "diffusion_model.",
        "model.diffusion_model.",
        "base_model.model.",
    ),
    "text": ("text_encoder.", "text_encoders.clip_l.transformer."),
    "text_2": (
        "text_encoder_2.",
        "text_encoders.clip_g.transformer.",
        "text_encoders.t5xxl.transformer.",
    ),
    "text_3": ("text_encoder_3.", "text_encoders.t5xxl.transformer."),
}
_UNDERSCORED = {
    "network": ("lora_unet_", "lora_transformer_", "lycoris_"),
    "text": ("lora_te_", "lora_te1_"),
    "text_2": ("lora_te2_", "lora_te3_"),
    "text_3": ("lora_te3_",),
}
# diffusers' attention processors once had names of their own for an attention's layers
_OLDER = {
    "to_out.0": "to_out",
    "q_proj": "to_q",
    "k_proj": "to_k",
    "v_proj": "to_v",
    "out_proj": "to_out",
}


@dataclass(frozen=True)
class Piece:
    """One of our tensors in one of theirs.

    Attributes:
        name: ours.
        shape: its shape.
        index: (n,) which rows of theirs are its own, in its order; None for all as they are.
        total: rows of theirs.
    """

    name: str
    shape: tuple[int, ...]
    index: Tensor | None
    total: int


@dataclass(frozen=True)
class Layer:
    """A layer of theirs: the part it is in, its name, and the map that has it."""

    part: str
    name: str
    keymap: KeyMap
    ours: Mapping[str, tuple[str, ...]]  # of the tensors "weight" and "bias"


class Names:
    """Finds layers by the names that files have for them."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        known = {name: part for name, part in parts.items() if name in _DOTTED}
        self.modules = {name: part.module for name, part in known.items()}
        self.states = {name: module.state_dict() for name, module in self.modules.items()}
        self.dotted = {name: _layers(name, part) for name, part in known.items()}
        self.underscored = {
            name: {layer.replace(".", "_"): found for layer, found in layers.items()}
            for name, layers in self.dotted.items()
        }

    def find(self, name: str) -> Layer | None:
        """The layer that a file calls ``name``, None where there is none."""
        return next(self._found(name), None)

    def _found(self, name: str) -> Iterator[Layer]:
        for table, prefixes in ((self.dotted, _DOTTED), (self.underscored, _UNDERSCORED)):
            for part, layers in table.items():
                for prefix in prefixes[part]:
                    layer = name.removeprefix(prefix)
                    if layer != name and layer in layers:
                        yield layers[layer]
        if name in (network := self.dotted.get("network", {})):
            yield network[name]

    def pieces(self, layer: Layer, kind: str) -> list[Piece]:
        """What the "weight" or the "bias" of ``layer`` holds, nothing where it can have no such.

        A linear layer or a convolution can have a bias, even one that has none.
        """
        shapes = self._shapes(layer, kind)
        if not shapes:
            return []
        ends = list(accumulate(shape[0] for shape in shapes.values()))
        spans = list(zip([0, *ends], ends, strict=False))
        numbered = torch.arange(ends[-1]).unsqueeze(1)
        ours = {name: numbered[slice(*span)] for name, span in zip(shapes, spans, strict=True)}
        # a file's rows, by their numbers among ours: in another order where the map swaps them
        theirs = torch.cat([numbers.flatten() for numbers in layer.keymap.to_theirs(ours).values()])
        places = theirs.argsort()
        whole = len(shapes) == 1 and torch.equal(places, numbered.flatten())
        return [
            Piece(name, shape, None if whole else places[slice(*span)], len(theirs))
            for (name, shape), span in zip(shapes.items(), spans, strict=True)
        ]

    def _shapes(self, layer: Layer, kind: str) -> dict[str, tuple[int, ...]]:
        """The shapes of our tensors that ``layer`` holds."""
        module, state = self.modules[layer.part], self.states[layer.part]
        if kind in layer.ours:
            return {name: tuple(state[name].shape) for name in layer.ours[kind]}
        homes = [name.removesuffix(".weight") for name in layer.ours.get("weight", ())]
        if kind == "bias" and all(can_live(module.get_submodule(home)) for home in homes):
            return {f"{home}.bias": tuple(state[f"{home}.weight"].shape[:1]) for home in homes}
        return {}


def published(part: Part) -> dict[str, tuple[KeyMap, tuple[str, ...]]]:
    """Their names of a part's tensors → the map and our names; ours where there is no map."""
    ours = list(part.module.state_dict())
    maps = part.maps or (KeyMap(tuple((name, name) for name in ours)),)
    found: dict[str, tuple[KeyMap, tuple[str, ...]]] = {}
    for keymap in maps:
        for theirs, names in keymap.held(ours).items():
            found.setdefault(theirs, (keymap, names))
    for keymap in (replace(keymap, pairs=keymap.also, also=()) for keymap in maps if keymap.also):
        for name in ours:
            with suppress(KeyError):  # not everything has another name
                for theirs, names in keymap.held([name]).items():
                    found.setdefault(theirs, (keymap, names))
    return found


def _layers(part_name: str, part: Part) -> dict[str, Layer]:
    """The layers of a part by their names, and by older ones."""
    kinds: dict[str, dict[str, tuple[str, ...]]] = {}
    maps: dict[str, KeyMap] = {}
    for tensor, (keymap, names) in published(part).items():
        layer, _, kind = tensor.rpartition(".")
        if kind in ("weight", "bias"):
            kinds.setdefault(layer, {})[kind] = names
            maps.setdefault(layer, keymap)
    layers = {name: Layer(part_name, name, maps[name], ours) for name, ours in kinds.items()}
    for name, layer in list(layers.items()):
        for ending, older in _OLDER.items():
            if name.endswith(f".{ending}"):
                layers.setdefault(name.removesuffix(ending) + older, layer)
    return layers
