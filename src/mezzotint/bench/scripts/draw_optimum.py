"""Draw with OpenVINO through optimum-intel's pipelines."""

# pyright: basic, reportMissingImports=false

from stopwatch import Stopwatch


def main() -> None:
    """Draw, and print the figures."""
    watch = Stopwatch()
    told = watch.told
    import numpy as np
    import torch
    from optimum.intel import OVDiffusionPipeline

    watch.mark("import")
    size = told["size"]
    config = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[told["dtype"]],
        "INFERENCE_NUM_THREADS": str(told["threads"]),
        "CACHE_DIR": told["cache"],
    }
    pipe = OVDiffusionPipeline.from_pretrained(told["model"], compile=False, ov_config=config)
    pipe.set_progress_bar_config(disable=True)
    pipe.reshape(1, size, size, 1)
    pipe.compile()
    watch.mark("load")
    noise = torch.from_numpy(np.load(told["noise"]))
    if not told["guided"]:  # FLUX's, whose pipeline takes them as tokens of 2 x 2 pixels
        noise = pipe._pack_latents(noise, *noise.shape)
    kept = {}

    def each(pipe, index, time, given):
        watch.lap()
        kept.update(given)
        return given

    picture = pipe(
        told["prompt"],
        num_inference_steps=told["steps"],
        guidance_scale=told["scale"],
        width=size,
        height=size,
        latents=noise,
        callback_on_step_end=each,
    ).images[0]
    picture.save(told["picture"])
    watch.drawn()
    latents = kept["latents"]
    if not told["guided"]:
        latents = pipe._unpack_latents(latents, size, size, pipe.vae_scale_factor)
    watch.decoded(lambda: pipe.vae.decode(latents))
    watch.report()


if __name__ == "__main__":
    main()
