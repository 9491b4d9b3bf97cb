"""Draw with diffusers."""

# pyright: basic, reportMissingImports=false, reportPrivateImportUsage=false
# pyright: reportCallIssue=false

from stopwatch import Stopwatch


def main() -> None:
    """Draw, and print the figures."""
    watch = Stopwatch()
    told = watch.told
    import numpy as np
    import torch
    from diffusers import DiffusionPipeline

    watch.mark("import")
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[told["dtype"]]
    pipe = DiffusionPipeline.from_pretrained(told["model"], torch_dtype=dtype).to(told["device"])
    pipe.set_progress_bar_config(disable=True)
    name = "unet" if told["guided"] else "transformer"
    if told["engine"] == "compiled":
        getattr(pipe, name).to(memory_format=torch.channels_last)
        getattr(pipe, name).compile()
    watch.mark("load")
    noise = torch.from_numpy(np.load(told["noise"])).to(told["device"], dtype)
    if name == "transformer":  # FLUX's, whose pipeline takes them as tokens of 2 x 2 pixels
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
        width=told["size"],
        height=told["size"],
        latents=noise,
        callback_on_step_end=each,
    ).images[0]
    picture.save(told["picture"])
    watch.drawn()
    latents = kept["latents"]
    if name == "transformer":
        latents = pipe._unpack_latents(latents, told["size"], told["size"], pipe.vae_scale_factor)
    with torch.no_grad():
        watch.decoded(lambda: pipe.vae.decode(latents))
    watch.report()


if __name__ == "__main__":
    main()
