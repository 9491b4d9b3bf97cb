"""`mezzotint models`: what there is to draw with."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mezzotint.families.base import Family


def models() -> None:
    """Tell about the embedded models, after checking their files, and name those in your folders.

    A folder of ours has such variants too: --model FOLDER#flow.
    """
    import mezzotint as mz
    from mezzotint.checkpoints.find import FOLDERS, offered
    from mezzotint.families import storybook
    from mezzotint.pipeline.load import EMBEDDED

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
        f"defaults    {_defaults(family)}",
        f"hash        {model.digest}",
        sep="\n",
    )
    default, *others = storybook.variants(EMBEDDED[pipe.source])
    print(f"{pipe.source}-{default}, embedded: the same")
    for variant in others:
        other = mz.load(f"{pipe.source}-{variant}", device="cpu")
        print(f"{other.source}, embedded: {_defaults(other.model.family)}")
    for kind in FOLDERS:
        for name, path in sorted(offered(kind).items()):
            print(f"{kind}: {name}  ({path})")


def _defaults(family: "Family") -> str:
    return f"{family.steps} steps, cfg {family.cfg:g}, {family.sampler}, {family.spacing}"
