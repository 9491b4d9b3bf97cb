"""Draw with OpenVINO through optimum-intel's pipelines."""

# pyright: basic, reportMissingImports=false

from draw_by import draw_by
from stopwatch import Stopwatch


def main() -> None:
    """Draw, and print the figures."""
    watch = Stopwatch()
    told = watch.told
    from optimum.intel import OVDiffusionPipeline

    watch.mark("import")
    config = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[told["dtype"]],
        "INFERENCE_NUM_THREADS": str(told["threads"]),
        "CACHE_DIR": told["cache"],
    }
    pipe = OVDiffusionPipeline.from_pretrained(told["model"], compile=False, ov_config=config)
    pipe.reshape(1, told["size"], told["size"], 1)
    pipe.compile()
    watch.mark("load")
    draw_by(pipe, watch)


if __name__ == "__main__":
    main()
