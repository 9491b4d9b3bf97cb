"""What diffusers calls the tensors of Stable Diffusion 3's MM-DiT."""

from mezzotint.checkpoints.keymap import KeyMap, under

_IMAGE = (
    ("to_q", "to_heads.query"),
    ("to_k", "to_heads.key"),
    ("to_v", "to_heads.value"),
    ("norm_q", "to_heads.norm_query"),
    ("norm_k", "to_heads.norm_key"),
    ("to_out.0", "out"),
)

_CONTEXT = (
    ("add_q_proj", "to_heads.query"),
    ("add_k_proj", "to_heads.key"),
    ("add_v_proj", "to_heads.value"),
    ("norm_added_q", "to_heads.norm_query"),
    ("norm_added_k", "to_heads.norm_key"),
    ("to_add_out", "out"),
)

_FEED = (
    ("net.0.proj", "widen"),
    ("net.2", "narrow"),
)

JOINT_BLOCK = (  # FLUX.1's too
    ("norm1.linear", "image.modulation.linear"),
    *under("attn", "image", _IMAGE),
    *under("ff", "image.feed", _FEED),
    ("norm1_context.linear", "context.modulation.linear"),
    *under("attn", "context", _CONTEXT),
    *under("ff_context", "context.feed", _FEED),
)

CONDITION_AND_OUTPUT = (  # FLUX.1's too
    ("time_text_embed.timestep_embedder.linear_1", "time.first"),
    ("time_text_embed.timestep_embedder.linear_2", "time.last"),
    ("time_text_embed.text_embedder.linear_1", "vector.first"),
    ("time_text_embed.text_embedder.linear_2", "vector.last"),
    ("context_embedder", "context_in"),
    ("norm_out.linear", "out.modulation.linear"),
    ("proj_out", "out.linear"),
)

MMDIT = KeyMap(
    pairs=(
        *CONDITION_AND_OUTPUT,
        ("pos_embed.proj", "patches"),
        ("pos_embed.pos_embed", "positions"),
        *under("transformer_blocks.{}", "blocks.{}", JOINT_BLOCK),
        *under("transformer_blocks.{}.attn2", "blocks.{}.dual", _IMAGE),
    )
)
