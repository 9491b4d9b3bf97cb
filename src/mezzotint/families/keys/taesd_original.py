"""What the original release calls the tensors of TAESD."""

from mezzotint.checkpoints.keymap import KeyMap, Pairs


def _layer(theirs: str, ours: str) -> Pairs:
    return ((theirs, ours), (f"{theirs}.conv.{{}}", f"{ours}.convs.{{}}"))


_LAYERS = 20  # of the longer half

TAESD = KeyMap(
    pairs=(
        *_layer("encoder.{}", "encoder.{}"),
        # the first of theirs bends the latent and has no weights
        *(pair for n in range(_LAYERS) for pair in _layer(f"decoder.{n + 1}", f"decoder.{n}")),
    )
)
"""Published in two files, with neither the one nor the other prefix."""
