"""What Black Forest Labs call the tensors of FLUX.1's transformer."""

from mezzotint.checkpoints.keymap import Held, KeyMap, under

_HEADS = ("to_heads.query", "to_heads.key", "to_heads.value")

_NORMS = (
    ("query_norm.scale", "to_heads.norm_query.weight"),
    ("key_norm.scale", "to_heads.norm_key.weight"),
)


def _stream(name: str) -> tuple[tuple[str, str | Held], ...]:
    return (
        (f"{name}_mod.lin", "modulation.linear"),
        (f"{name}_attn.qkv", Held(_HEADS)),
        *((f"{name}_attn.norm.{theirs}", ours) for theirs, ours in _NORMS),
        (f"{name}_attn.proj", "out"),
        (f"{name}_mlp.0", "feed.widen"),
        (f"{name}_mlp.2", "feed.narrow"),
    )


_SINGLE = (
    ("modulation.lin", "modulation.linear"),
    ("linear1", Held((*_HEADS, "widen"), shares=(1, 1, 1, 4))),
    *((f"norm.{theirs}", ours) for theirs, ours in _NORMS),
    ("linear2", "out"),
)

FLUX = KeyMap(
    pairs=(
        ("img_in", "patches"),
        ("txt_in", "context_in"),
        ("time_in.in_layer", "time.first"),
        ("time_in.out_layer", "time.last"),
        ("guidance_in.in_layer", "guidance.first"),
        ("guidance_in.out_layer", "guidance.last"),
        ("vector_in.in_layer", "vector.first"),
        ("vector_in.out_layer", "vector.last"),
        *under("double_blocks.{}", "joint.{}.image", _stream("img")),
        *under("double_blocks.{}", "joint.{}.context", _stream("txt")),
        *under("single_blocks.{}", "single.{}", _SINGLE),
        # they shift first and scale then
        ("final_layer.adaLN_modulation.1", Held(("out.modulation.linear",), "swapped")),
        ("final_layer.linear", "out.linear"),
    )
)
