"""`mezzotint models`: what there is to draw with."""


def models() -> None:
    """Tell about the embedded model, after checking its files, and name those in your folders."""
    import mezzotint as mz
    from mezzotint.checkpoints.find import FOLDERS, offered

    pipe = mz.load(device="cpu")
    model, family = pipe.model, pipe.model.family
    parameters = sum(
        weight.numel() for module in model.modules.values() for weight in module.parameters()
    )
    sides = f"sides from {family.smallest} to {family.largest} in multiples of {family.multiple}"
    print(
        f"{pipe.source}, embedded, used without --model",
        f"parameters  {parameters:,}",
        f"pictures    {family.size}x{family.size}; {sides}",
        f"defaults    {family.steps} steps, cfg {family.cfg:g}, {family.sampler}, {family.spacing}",
        f"hash        {model.digest}",
        sep="\n",
    )
    for kind in FOLDERS:
        for name, path in sorted(offered(kind).items()):
            print(f"{kind}: {name}  ({path})")
