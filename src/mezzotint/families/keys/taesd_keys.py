"""What diffusers calls the tensors of TAESD."""

from mezzotint.checkpoints.keymap import KeyMap

TAESD = KeyMap(
    pairs=(
        ("encoder.layers.{}", "encoder.{}"),
        ("encoder.layers.{}.conv.{}", "encoder.{}.convs.{}"),
        ("decoder.layers.{}", "decoder.{}"),
        ("decoder.layers.{}.conv.{}", "decoder.{}.convs.{}"),
    )
)
