"""What diffusers calls the tensors of FLUX.1's transformer."""

from mezzotint.checkpoints.keymap import KeyMap, under
from mezzotint.families.keys.sd3_keys import CONDITION_AND_OUTPUT, JOINT_BLOCK

_SINGLE_BLOCK = (
    ("norm.linear", "modulation.linear"),
    ("attn.to_q", "to_heads.query"),
    ("attn.to_k", "to_heads.key"),
    ("attn.to_v", "to_heads.value"),
    ("attn.norm_q", "to_heads.norm_query"),
    ("attn.norm_k", "to_heads.norm_key"),
    ("proj_mlp", "widen"),
    ("proj_out", "out"),
)

FLUX = KeyMap(
    pairs=(
        *CONDITION_AND_OUTPUT,
        ("time_text_embed.guidance_embedder.linear_1", "guidance.first"),
        ("time_text_embed.guidance_embedder.linear_2", "guidance.last"),
        ("x_embedder", "patches"),
        *under("transformer_blocks.{}", "joint.{}", JOINT_BLOCK),
        *under("single_transformer_blocks.{}", "single.{}", _SINGLE_BLOCK),
    )
)
