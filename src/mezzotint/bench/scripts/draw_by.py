"""What the scripts of pipelines like diffusers' share: drawing with one that is ready."""

# pyright: basic, reportMissingImports=false

from stopwatch import Stopwatch


def draw_by(pipe, watch: Stopwatch, device: str = "cpu", dtype=None) -> None:
    """Draw what the watch was told, and print the figures."""
    import numpy as np
    import torch

    told, kept = watch.told, {}
    packed = not told["guided"]  # FLUX's, whose pipeline takes latents as tokens of 2 x 2 pixels
    noise = torch.from_numpy(np.load(told["noise"])).to(device, dtype)
    noise = pipe._pack_latents(noise, *noise.shape) if packed else noise

    def each(pipe, index, time, given):
        watch.lap()
        kept.update(given)
        return given

    pipe.set_progress_bar_config(disable=True)
    picture = pipe(
        told["prompt"],
        num_inference_steps=told["steps"],
        guidance_scale=told["scale"],
        width=told["size"],
        height=told["size"],
        latents=noise,
        callback_on_step_end=each,
    ).images[0]
    picture.save(told["picture"])
    watch.drawn()
    latents = kept["latents"]
    if packed:
        latents = pipe._unpack_latents(latents, told["size"], told["size"], pipe.vae_scale_factor)
    with torch.no_grad():
        watch.decoded(lambda: pipe.vae.decode(latents))
    watch.report()
