"""What the original releases call the tensors of Stable Diffusion 3's and 3.5's MM-DiT."""

from collections.abc import Mapping

from mezzotint.checkpoints.keymap import Held, KeyMap, Shape, under

_ATTENTION = (
    ("qkv", Held(("to_heads.query", "to_heads.key", "to_heads.value"))),
    ("ln_q", "to_heads.norm_query"),
    ("ln_k", "to_heads.norm_key"),
    ("proj", "out"),
)

_STREAM = (
    *((f"attn.{theirs}", ours) for theirs, ours in _ATTENTION),
    ("mlp.fc1", "feed.widen"),
    ("mlp.fc2", "feed.narrow"),
)


def mmdit(blocks: int) -> KeyMap:
    """The names of an MM-DiT of so many blocks.

    They shift first and scale then where diffusers and we scale first: in the output, and in the
    last block, which ends the context's stream.
    """
    context = [f"joint_blocks.{i}.context_block.adaLN_modulation.1" for i in range(blocks)]
    modulation = [f"blocks.{i}.context.modulation.linear" for i in range(blocks)]
    return KeyMap(
        pairs=(
            ("x_embedder.proj", "patches"),
            ("pos_embed", "positions"),
            ("t_embedder.mlp.0", "time.first"),
            ("t_embedder.mlp.2", "time.last"),
            ("y_embedder.mlp.0", "vector.first"),
            ("y_embedder.mlp.2", "vector.last"),
            ("context_embedder", "context_in"),
            ("joint_blocks.{}.x_block.adaLN_modulation.1", "blocks.{}.image.modulation.linear"),
            *under("joint_blocks.{}.x_block", "blocks.{}.image", _STREAM),
            *under("joint_blocks.{}.x_block.attn2", "blocks.{}.dual", _ATTENTION),
            *under("joint_blocks.{}.context_block", "blocks.{}.context", _STREAM),
            *zip(context[:-1], modulation[:-1], strict=True),
            (context[-1], Held((modulation[-1],), "swapped")),
            ("final_layer.adaLN_modulation.1", Held(("out.modulation.linear",), "swapped")),
            ("final_layer.linear", "out.linear"),
        )
    )


def mmdit_in(shapes: Mapping[str, Shape], source: str) -> KeyMap:
    """The names of the MM-DiT that a file holds."""
    return mmdit(len({name.split(".")[1] for name in shapes if name.startswith("joint_blocks.")}))
