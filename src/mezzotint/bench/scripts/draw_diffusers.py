"""Draw with diffusers."""

# pyright: basic, reportMissingImports=false, reportPrivateImportUsage=false

from draw_by import draw_by
from stopwatch import Stopwatch


def main() -> None:
    """Draw, and print the figures."""
    watch = Stopwatch()
    told = watch.told
    import torch
    from diffusers import DiffusionPipeline

    watch.mark("import")
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[told["dtype"]]
    pipe = DiffusionPipeline.from_pretrained(told["model"], torch_dtype=dtype).to(told["device"])
    if told["engine"] == "compiled":
        network = pipe.unet if told["guided"] else pipe.transformer
        network.to(memory_format=torch.channels_last)
        network.compile()
    watch.mark("load")
    draw_by(pipe, watch, told["device"], dtype)


if __name__ == "__main__":
    main()
