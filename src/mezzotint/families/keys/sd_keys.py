"""What diffusers and transformers call the tensors of Stable Diffusion's networks."""

from mezzotint.checkpoints.keymap import KeyMap, under

_ATTENTION = (
    ("to_q", "query"),
    ("to_k", "key"),
    ("to_v", "value"),
    ("to_out.0", "out"),
)

_RESIDUAL = (
    ("norm1", "norm_in"),
    ("conv1", "conv_in"),
    ("time_emb_proj", "time"),
    ("norm2", "norm_out"),
    ("conv2", "conv_out"),
    ("conv_shortcut", "skip"),
)

TRANSFORMER = (  # the original release's too
    ("norm", "norm"),
    ("proj_in", "project_in"),
    *under(
        "transformer_blocks.{}",
        "blocks.{}",
        (
            ("norm1", "norm_self"),
            *under("attn1", "attend_self", _ATTENTION),
            ("norm2", "norm_cross"),
            *under("attn2", "attend_cross", _ATTENTION),
            ("norm3", "norm_feed"),
            ("ff.net.0.proj", "feed.value_gate"),
            ("ff.net.2", "feed.out"),
        ),
    ),
    ("proj_out", "project_out"),
)

_UNET = (
    ("time_embedding.linear_1", "time.first"),
    ("time_embedding.linear_2", "time.last"),
    ("time_embedding.cond_proj", "guidance"),
    ("add_embedding.linear_1", "vector.first"),
    ("add_embedding.linear_2", "vector.last"),
    ("conv_in", "conv_in"),
    *under("down_blocks.{}.resnets.{}", "down.{}.blocks.{}.residual", _RESIDUAL),
    *under("down_blocks.{}.attentions.{}", "down.{}.blocks.{}.attention", TRANSFORMER),
    ("down_blocks.{}.downsamplers.0.conv", "down.{}.step.conv"),
    *under("mid_block.resnets.{}", "mid.{}.residual", _RESIDUAL),
    *under("mid_block.attentions.{}", "mid.{}.attention", TRANSFORMER),
    *under("up_blocks.{}.resnets.{}", "up.{}.blocks.{}.residual", _RESIDUAL),
    *under("up_blocks.{}.attentions.{}", "up.{}.blocks.{}.attention", TRANSFORMER),
    ("up_blocks.{}.upsamplers.0.conv", "up.{}.step.conv"),
    ("conv_norm_out", "norm_out"),
    ("conv_out", "conv_out"),
)

UNET = KeyMap(_UNET)  # Stable Diffusion 2.x and XL
UNET_POINTWISE = KeyMap(_UNET, pointwise=("project_in", "project_out"))  # 1.x

_HALF = (  # an encoder or a decoder, but for its levels
    ("conv_in", "conv_in"),
    *under("mid_block.resnets.0", "mid.first", _RESIDUAL),
    ("mid_block.attentions.0.group_norm", "mid.attention.norm"),
    *under("mid_block.attentions.0", "mid.attention.attention", _ATTENTION),
    *under("mid_block.resnets.1", "mid.last", _RESIDUAL),
    ("conv_norm_out", "norm_out"),
    ("conv_out", "conv_out"),
)

_OLD_ATTENTION = (  # before diffusers 0.15; the published files still have these
    ("query", "query"),
    ("key", "key"),
    ("value", "value"),
    ("proj_attn", "out"),
)

AUTOENCODER = KeyMap(
    pairs=(
        *under("encoder", "encoder", _HALF),
        *under("encoder.down_blocks.{}.resnets.{}", "encoder.levels.{}.{}", _RESIDUAL),
        ("encoder.down_blocks.{}.downsamplers.0.conv", "encoder.downs.{}.conv"),
        ("quant_conv", "to_moments"),
        ("post_quant_conv", "from_latent"),
        *under("decoder", "decoder", _HALF),
        *under("decoder.up_blocks.{}.resnets.{}", "decoder.levels.{}.{}", _RESIDUAL),
        ("decoder.up_blocks.{}.upsamplers.0.conv", "decoder.ups.{}.conv"),
    ),
    also=(
        *under("encoder.mid_block.attentions.0", "encoder.mid.attention.attention", _OLD_ATTENTION),
        *under("decoder.mid_block.attentions.0", "decoder.mid.attention.attention", _OLD_ATTENTION),
    ),
)

_TOWER_LAYERS = under(
    "encoder.layers.{}",
    "layers.{}",
    (
        ("layer_norm1", "norm_attend"),
        ("self_attn.q_proj", "attend.query"),
        ("self_attn.k_proj", "attend.key"),
        ("self_attn.v_proj", "attend.value"),
        ("self_attn.out_proj", "attend.out"),
        ("layer_norm2", "norm_feed"),
        ("mlp.fc1", "widen"),
        ("mlp.fc2", "narrow"),
    ),
)

_TEXT = (
    ("embeddings.token_embedding", "tokens"),
    ("embeddings.position_embedding", "positions"),
    *_TOWER_LAYERS,
    ("final_layer_norm", "norm_out"),
)

_VISION = (
    ("embeddings.patch_embedding", "patches"),
    ("embeddings.class_embedding", "summary"),
    ("embeddings.position_embedding", "positions"),
    ("pre_layrnorm", "norm_in"),
    *_TOWER_LAYERS,
    ("post_layernorm", "norm_out"),
)

CLIP_TEXT = KeyMap(
    pairs=(
        *((f"text_model.{theirs}", ours) for theirs, ours in _TEXT),
        ("text_projection", "project"),
    ),
    also=_TEXT,  # transformers 5 writes a text tower without projection so
    ignored=("text_model.embeddings.position_ids", "embeddings.position_ids"),
)

CLIP_VISION = KeyMap(
    pairs=(
        *((f"vision_model.{theirs}", ours) for theirs, ours in _VISION),
        ("visual_projection", "project"),
    ),
    ignored=("vision_model.embeddings.position_ids",),
)
