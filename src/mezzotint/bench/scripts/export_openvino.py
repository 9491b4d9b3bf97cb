"""Export a diffusers folder as OpenVINO's own tools want it: `export_openvino.py MODEL FOLDER`."""

# pyright: basic, reportMissingImports=false

import sys
from pathlib import Path

from optimum.exporters.openvino import main_export
from optimum.intel import OVConfig


def main() -> None:
    """Export, with the tokenizers that OpenVINO GenAI needs."""
    model, folder = sys.argv[1:]
    exact = OVConfig(dtype="fp16")  # left to itself it rounds the weights of large models to int8
    main_export(
        model,
        Path(folder),  # a name will not do for its tokenizers
        task="text-to-image",
        library_name="diffusers",
        ov_config=exact,
        convert_tokenizer=True,
    )


if __name__ == "__main__":
    main()
