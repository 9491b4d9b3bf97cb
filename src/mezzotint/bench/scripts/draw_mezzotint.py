"""Draw with an engine of this package."""

from stopwatch import Stopwatch


def main() -> None:
    """Draw, and print the figures."""
    watch = Stopwatch()
    told = watch.told
    from mezzotint import load

    watch.mark("import")
    pipe = load(
        told["model"], dtype=told["dtype"], device=told["device"], engine=told["engine"] or "auto"
    )
    watch.mark("load")
    scale = "cfg" if told["guided"] else "guidance"
    noise = {"noise": "diffusers"} if told["noise"] else {}
    steps = pipe.stream(
        told["prompt"],
        steps=told["steps"],
        seed=told["seed"],
        width=told["size"],
        height=told["size"],
        **{scale: told["scale"]},
        **noise,
    )
    *_, (last, _) = ((step, watch.lap()) for step in steps)
    last.output().images[0].save(told["picture"])
    watch.drawn()
    watch.decoded(lambda: pipe.model.decode_latents(last.x))
    watch.report()


if __name__ == "__main__":
    main()
