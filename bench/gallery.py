"""Write docs/gallery.png, the first seed of 64 prompts: `python bench/gallery.py`.

They are one in nine of the prompts of `mezzotint eval`, so that nothing is chosen by hand, and ask
for combinations that the model was never shown.
"""

import argparse
from pathlib import Path

import mezzotint as mz
from mezzotint.evals.report import contact_sheet
from mezzotint.evals.skills import prompts
from mezzotint.files import write_whole
from mezzotint.pipeline.metadata import png

SHOWN, COLUMNS = 64, 8


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model")
    options.add_argument("--out", type=Path, default=Path("docs/gallery.png"))
    args = options.parse_args()
    pipe = mz.load(args.model, engine="eager")  # the same pictures on every machine
    made = prompts()
    asked = made[:: len(made) // SHOWN][:SHOWN]
    drawn = [pipe.generate(each.text, seed=each.seed).images[0] for each in asked]
    sheet = contact_sheet(drawn, [each.text for each in asked], COLUMNS)
    write_whole(args.out, png(sheet))
    print(args.out)


if __name__ == "__main__":
    main()
