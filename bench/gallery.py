"""Write docs/gallery.png, the first seed of 64 prompts: `python bench/gallery.py`.

They are spread evenly over the 600 of `mezzotint eval`, so that nothing is chosen by hand, and ask
for combinations that the model was never shown. They are drawn on the engine `eager`.
"""

import argparse
from pathlib import Path

import mezzotint as mz
from mezzotint.evals.report import contact_sheet
from mezzotint.evals.skills import prompts

SHOWN, COLUMNS = 64, 8


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model")
    options.add_argument("--out", type=Path, default=Path("docs/gallery.png"))
    args = options.parse_args()
    pipe = mz.load(args.model, engine="eager")  # the same pictures on every machine
    made = prompts()
    # no even number of steps apart: counts, for one, take turns in threes
    asked = [made[round(k * (len(made) - 1) / (SHOWN - 1))] for k in range(SHOWN)]
    drawn = [pipe.generate(each.text, seed=each.seed).images[0] for each in asked]
    sheet = contact_sheet(drawn, [each.text for each in asked], COLUMNS)
    sheet.save(args.out, optimize=True)
    print(args.out)


if __name__ == "__main__":
    main()
