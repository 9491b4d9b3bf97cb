"""What a ComfyUI graph says of a picture, and what of it cannot be done here."""

from dataclasses import dataclass
from typing import Any

from mezzotint.errors import InputError
from mezzotint.pipeline.metadata.graph import (
    ZERO,
    Graph,
    Node,
    conditionings,
    links,
    read_nodes,
    scalar,
    upstream,
)
from mezzotint.pipeline.metadata.names import COMFYUI_SAMPLERS, COMFYUI_SPACINGS
from mezzotint.pipeline.metadata.parameters import STOCHASTIC, Reading, capped, gpu_noise, judged
from mezzotint.pipeline.metadata.recipe import DIGITS, Recipe

MAX_PASSES = 20

_SAMPLERS = "KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"
_SAVES = "SaveImage", "PreviewImage", "SaveImageWebsocket", "SaveAnimatedWEBP"
_LORAS = "LoraLoader", "LoraLoaderModelOnly"
_TEXTS = "text", "text_g", "text_l", "clip_l", "clip_g", "t5xxl"
_ENCODERS = (
    *("CLIPTextEncode", "CLIPTextEncodeSDXL", "CLIPTextEncodeSDXLRefiner"),
    *("CLIPTextEncodeFlux", "CLIPTextEncodeSD3"),
)
_FILES = {  # loaders: which inputs name files, and what they are
    "CheckpointLoaderSimple": ("model", "ckpt_name"),
    "UNETLoader": ("model", "unet_name"),
    "UnetLoaderGGUF": ("model", "unet_name"),
    "CLIPLoader": ("text encoder", "clip_name"),
    "DualCLIPLoader": ("text encoder", "clip_name1", "clip_name2"),
    "TripleCLIPLoader": ("text encoder", "clip_name1", "clip_name2", "clip_name3"),
    "DualCLIPLoaderGGUF": ("text encoder", "clip_name1", "clip_name2"),
    "VAELoader": ("VAE", "vae_name"),
    "LoraLoader": ("LoRA", "lora_name"),
    "LoraLoaderModelOnly": ("LoRA", "lora_name"),
}
_EMPTY = "EmptyLatentImage", "EmptySD3LatentImage"
_FLOW = "FluxGuidance", "CLIPTextEncodeFlux", "CLIPTextEncodeSD3", "EmptySD3LatentImage"
_SHIFTS = "ModelSamplingFlux", "ModelSamplingSD3"
_SIGMAS = {  # nodes that make a schedule, and its name where they do not tell it
    "BasicScheduler": "",
    "KarrasScheduler": "karras",
    "ExponentialScheduler": "exponential",
}
_READ = {
    *(*_SAMPLERS, *_SAVES, *_ENCODERS, *_FILES, *_EMPTY, *_FLOW, *_SHIFTS, *_SIGMAS, ZERO),
    *("VAEDecode", "KSamplerSelect", "RandomNoise", "CFGGuider", "BasicGuider"),
    *("PrimitiveNode", "PrimitiveInt", "PrimitiveFloat", "PrimitiveString", "Reroute", "Note"),
    "PrimitiveStringMultiline",
}


@dataclass(frozen=True)
class _Pass:
    """The nodes that a sampling pass is told by; all one in a `KSampler`."""

    sampler: Node
    noise: Node
    guider: Node
    choice: Node
    sigmas: Node


def read_graph(text: str, size: tuple[int, int]) -> Reading:
    """Read the `prompt` text of a picture of ``size`` (width, height).

    Of several passes the first is told, whose picture the others work on.

    Raises:
        InputError: it is no graph, or nothing in it samples, or what samples is not told how.
    """
    graph = read_nodes(text)
    end = _end(graph)
    passes = [node for node in upstream(graph, end) if _samples(node)]
    if not passes:
        raise InputError("its ComfyUI graph has no sampler that is understood, such as KSampler")
    step = _pass(graph, _first(graph, passes[0]))
    prompt, negative, guidance, misses = _texts(graph, step)
    loras, model = _model(graph, step)
    width, height, batch = _canvas(graph, step, size)
    sampler, spacing = _names(graph, step)
    flow = any(node.kind in (*_FLOW, *_SHIFTS) for node in upstream(graph, step.sampler))
    recipe = Recipe(
        prompt=" ".join([prompt, *loras]).strip(),
        negative=negative,
        steps=_number(step.sigmas, "steps", scalar(graph, step.sigmas, "steps")),
        sampler=COMFYUI_SAMPLERS.get(sampler, sampler),
        spacing="" if flow else COMFYUI_SPACINGS.get(spacing, spacing),
        cfg=_scale(graph, step),
        seed=_seed(graph, step),
        width=width,
        height=height,
        model=model,
        model_hash="",
        version="",
        noise="comfyui",
        batch=batch,
        dialect="comfyui",
        guidance=guidance,
    )
    recipe, more = judged(recipe, "ComfyUI", sampler, spacing)
    if recipe.sampler in STOCHASTIC:
        more += gpu_noise(recipe)
    if flow:
        more.append(f"schedule {spacing!r}: the model's own shift is taken, for the picture's size")
    more += misses + _partly(graph, step, len(passes)) + _unread(graph, end, batch)
    return Reading(recipe, "ComfyUI", _needs(graph, end), capped(more))


def _end(graph: Graph) -> Node:
    """The node that saved the picture; failing that, showed it, or sampled last."""
    for word in ("save", "preview"):
        if found := [node for node in graph.values() if word in node.kind.lower()]:
            return found[0]
    sampling = [node for node in graph.values() if _samples(node)]
    return (sampling or [*graph.values()])[-1]


def _samples(node: Node) -> bool:
    told = {"steps", "cfg", "sampler_name"} <= node.inputs.keys()
    return node.kind in _SAMPLERS or (told and bool({"seed", "noise_seed"} & node.inputs.keys()))


def _first(graph: Graph, node: Node) -> Node:
    """The pass that the others began with: back through the latents, as far as they go."""
    seen: set[str] = set()
    for _ in range(MAX_PASSES):
        seen.add(node.id)
        latent = links(node).get("latent_image")
        before = upstream(graph, graph[latent[0]]) if latent else iter(())
        node = next((each for each in before if _samples(each) and each.id not in seen), node)
    return node


def _pass(graph: Graph, node: Node) -> _Pass:
    def behind(*names: str) -> Node:
        linked = [graph[links(node)[name][0]] for name in names if name in links(node)]
        return linked[0] if linked else node

    return _Pass(node, behind("noise"), behind("guider"), behind("sampler"), behind("sigmas"))


def _names(graph: Graph, step: _Pass) -> tuple[str, str]:
    sampler = str(scalar(graph, step.choice, "sampler_name") or step.choice.kind)
    own = _SIGMAS.get(step.sigmas.kind)
    return sampler, own or str(scalar(graph, step.sigmas, "scheduler") or step.sigmas.kind)


def _seed(graph: Graph, step: _Pass) -> int:
    name = "noise_seed" if "noise_seed" in step.noise.inputs else "seed"
    return _number(step.noise, name, scalar(graph, step.noise, name))


def _scale(graph: Graph, step: _Pass) -> float:
    if step.guider.kind == "BasicGuider":
        return 1.0
    return _float(step.guider, "cfg", scalar(graph, step.guider, "cfg"))


def _texts(graph: Graph, step: _Pass) -> tuple[str, str, float | None, list[str]]:
    """Prompt, negative prompt and distilled guidance, and what of them is left out."""
    given, misses = links(step.guider), list[str]()
    prompts: list[str] = []
    guidance = None
    for name in ("positive", "negative"):
        link = given.get(name) or (given.get("conditioning") if name == "positive" else None)
        wordings: list[str] = []
        for node in conditionings(graph, link) if link else ():
            wordings += [""] if node.kind == ZERO else _wordings(graph, node, misses)
            told = scalar(graph, node, "guidance")
            if name == "positive" and guidance is None and told is not None:
                guidance = _float(node, "guidance", told)
        wordings = list(dict.fromkeys(wordings))
        if len(wordings) > 1:
            misses.append(f"{name} prompt: the first of {len(wordings)} that it is made of is told")
        prompts.append(wordings[0] if wordings else "")
    return prompts[0], prompts[1], guidance, misses


def _wordings(graph: Graph, node: Node, misses: list[str]) -> list[str]:
    names = [name for name in _TEXTS if name in node.inputs and "clip" in links(node)]
    texts = [scalar(graph, node, name) for name in names]
    told = list(dict.fromkeys(text for text in texts if isinstance(text, str)))
    if len(told) < len({*map(str, texts)}):
        misses.append(f"the text of {node}: it was made by another node")
    if len(told) > 1:
        misses.append(f"{node}: each text encoder has a text of its own, the first is told")
    return told[:1]


def _model(graph: Graph, step: _Pass) -> tuple[list[str], str]:
    """LoRAs as tags, in the order in which they were put on; and the model's file."""
    node, tags = step.guider, list[str]()
    for _ in range(len(graph)):
        link = links(node).get("model")
        if link is None:
            break
        node = graph[link[0]]
        if node.kind in _LORAS:
            tags.append(_tag(graph, node))
    kind = _FILES.get(node.kind, ("", "model"))[1]
    return [tag for tag in reversed(tags) if tag], str(scalar(graph, node, kind) or "")


def _tag(graph: Graph, node: Node) -> str:
    network = _float(node, "strength_model", scalar(graph, node, "strength_model"))
    text = scalar(graph, node, "strength_clip") if node.kind == "LoraLoader" else 0.0
    name = str(scalar(graph, node, "lora_name")).removesuffix(".safetensors")
    if set(name) & set("<>:"):
        raise InputError(f"its LoRA {name[:80]!r} cannot be written as a tag: rename the file")
    return f"<lora:{name}:{_float(node, 'strength_clip', text):g}:{network:g}>"


def _canvas(graph: Graph, step: _Pass, size: tuple[int, int]) -> tuple[int, int, int]:
    """Width, height and batch size; the picture's own size where it is not told."""
    link = links(step.sampler).get("latent_image")
    for node in upstream(graph, graph[link[0]], _SAMPLERS) if link else ():
        told = [scalar(graph, node, name) for name in ("width", "height", "batch_size")]
        if node.kind in _EMPTY or all(isinstance(each, int) for each in told):
            width, height = [
                own if each is None else _number(node, "size", each)
                for own, each in zip(size, told, strict=False)
            ]
            return width, height, max(_number(node, "batch_size", told[2] or 1), 1)
    return *size, 1


def _partly(graph: Graph, step: _Pass, passes: int) -> list[str]:
    """What only some passes do: a part of the way, another beginning, several in a row."""
    misses = [f"{passes} passes (hires fix, refiner): the first is told"] if passes > 1 else []
    link = links(step.sampler).get("latent_image")
    latents = [*upstream(graph, graph[link[0]], _SAMPLERS)] if link else []
    denoise = scalar(graph, step.sigmas, "denoise")
    if not any(node.kind in _EMPTY for node in latents) or denoise not in (None, 1):
        misses.append(f"the picture that it began with (denoise {denoise})")
    steps = scalar(graph, step.sigmas, "steps")
    first, last = (scalar(graph, step.sampler, f"{name}_at_step") for name in ("start", "end"))
    if first or (isinstance(last, int) and isinstance(steps, int) and last < steps):
        misses.append(f"only steps {first} to {last} of {step.sampler} were taken")
    if scalar(graph, step.sampler, "add_noise") in ("disable", False):
        misses.append(f"{step.sampler} added no noise")
    return misses


def _unread(graph: Graph, end: Node, batch: int) -> list[str]:
    misses = [f"node {node}" for node in upstream(graph, end) if node.kind not in _READ]
    saves = [node for node in graph.values() if "save" in node.kind.lower()]
    if len(saves) > 1:
        misses.append(f"which of {len(saves)} saved pictures it is: the first in the graph is told")
    if batch > 1:
        misses.append(f"which of the {batch} pictures of its batch it is: the file does not say")
    return misses


def _needs(graph: Graph, end: Node) -> tuple[str, ...]:
    files = [
        f"{kind} {str(scalar(graph, node, name))!r}"
        for node in upstream(graph, end)
        for kind, *names in [_FILES.get(node.kind, ("",))]
        for name in names
    ]
    return capped(files)


def _number(node: Node, name: str, value: Any) -> int:
    if isinstance(value, str) and value.isdecimal() and len(value) <= DIGITS:
        value = int(value)
    if isinstance(value, int) and abs(value) < 10**DIGITS:
        return value
    number = _float(node, name, value)
    if not number.is_integer():
        raise InputError(f"its ComfyUI graph is not understood: {node} has {name} {number}")
    return int(number)


def _float(node: Node, name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not abs(number) < float("inf"):
        raise InputError(
            f"its ComfyUI graph is not understood: {node} has {name} {str(value)[:20]!r}"
        )
    return number
