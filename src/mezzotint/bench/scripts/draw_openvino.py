"""Draw with OpenVINO GenAI, which needs neither torch nor diffusers."""

# pyright: basic, reportMissingImports=false

from stopwatch import Stopwatch


def main() -> None:
    """Draw, and print the figures."""
    watch = Stopwatch()
    told = watch.told
    import numpy as np
    import openvino as ov
    import openvino_genai as genai

    watch.mark("import")
    size, scale = told["size"], told["scale"]
    pipe = genai.Text2ImagePipeline(told["model"])
    pipe.reshape(1, size, size, scale)
    pipe.compile(
        "CPU",
        INFERENCE_PRECISION_HINT={"fp32": "f32", "bf16": "bf16"}[told["dtype"]],
        INFERENCE_NUM_THREADS=told["threads"],
        CACHE_DIR=told["cache"],
    )
    watch.mark("load")

    class Noise(genai.Generator):
        def randn_tensor(self, shape):
            return ov.Tensor(np.load(told["noise"]))

    kept = []

    def each(step, total, latents):
        watch.lap()
        kept[:] = [latents]
        return False

    pixels = pipe.generate(
        told["prompt"],
        num_inference_steps=told["steps"],
        guidance_scale=scale,
        width=size,
        height=size,
        generator=Noise(),
        callback=each,
    ).data[0]
    from PIL import Image

    Image.fromarray(pixels).save(told["picture"])
    watch.drawn()
    watch.decoded(lambda: pipe.decode(kept[0]))
    watch.report()


if __name__ == "__main__":
    main()
