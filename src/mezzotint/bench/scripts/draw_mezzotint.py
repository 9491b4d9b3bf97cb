"""Draw with an engine of this package."""

# pyright: reportMissingImports=false

from typing import Any

from stopwatch import Stopwatch


def main() -> None:
    """Draw, and print the figures."""
    watch = Stopwatch()
    told = watch.told
    from mezzotint import load
    from mezzotint.adapters.savings import SAVINGS

    watch.mark("import")
    pipe = load(
        told["model"], dtype=told["dtype"], device=told["device"], engine=told["engine"] or "auto"
    )
    watch.mark("load")
    options: dict[str, Any] = {"cfg" if told["guided"] else "guidance": told["scale"]}
    if told["noise"]:
        options["noise"] = "diffusers"
    saving, _, number = told["saving"].partition("=")
    saved = [SAVINGS[saving](*map(float, number.split()))] if saving else []
    with pipe.attached(*saved):
        steps = pipe.stream(
            told["prompt"],
            steps=told["steps"],
            seed=told["seed"],
            width=told["size"],
            height=told["size"],
            **options,
        )
        *_, (last, _) = ((step, watch.lap()) for step in steps)
    last.output().images[0].save(told["picture"])
    watch.drawn()
    import torch  # after the package, which tells it how to wait and where to get memory

    with torch.inference_mode():  # as the picture itself was decoded
        watch.decoded(lambda: pipe.model.decode_latents(last.x))
    watch.report()


if __name__ == "__main__":
    main()
