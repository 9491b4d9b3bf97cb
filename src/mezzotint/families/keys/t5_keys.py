"""What transformers and llama.cpp call the tensors of a T5 encoder."""

from mezzotint.checkpoints.keymap import KeyMap, under

_LAYER = (
    ("layer.0.layer_norm", "norm_attend"),
    ("layer.0.SelfAttention.q", "query"),
    ("layer.0.SelfAttention.k", "key"),
    ("layer.0.SelfAttention.v", "value"),
    ("layer.0.SelfAttention.o", "out"),
    ("layer.1.layer_norm", "norm_feed"),
    ("layer.1.DenseReluDense.wi_0", "gate"),
    ("layer.1.DenseReluDense.wi_1", "widen"),
    ("layer.1.DenseReluDense.wo", "narrow"),
)

T5 = KeyMap(
    pairs=(
        ("shared", "tokens"),
        ("encoder.block.0.layer.0.SelfAttention.relative_attention_bias", "distances"),
        *under("encoder.block.{}", "layers.{}", _LAYER),
        ("encoder.final_layer_norm", "norm_out"),
    ),
    also=(("encoder.embed_tokens", "tokens"),),  # files have it besides ``shared``, or alone
    ignored=("encoder.embed_tokens",),
)

_LLAMA_LAYER = (
    ("attn_norm", "norm_attend"),
    ("attn_q", "query"),
    ("attn_k", "key"),
    ("attn_v", "value"),
    ("attn_o", "out"),
    ("ffn_norm", "norm_feed"),
    ("ffn_gate", "gate"),
    ("ffn_up", "widen"),
    ("ffn_down", "narrow"),
)

LLAMA = KeyMap(  # in GGUF files
    pairs=(
        ("token_embd", "tokens"),
        ("enc.blk.0.attn_rel_b", "distances"),
        *under("enc.blk.{}", "layers.{}", _LLAMA_LAYER),
        ("enc.output_norm", "norm_out"),
    )
)
