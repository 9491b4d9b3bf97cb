"""A seed gives the same scene, caption and picture for ever.

What is promised for ever can only be held against a record, so this table is copied from a run of
`python tests/world/test_version.py`. Where it no longer holds and is meant not to, raise
`mezzotint.world.VERSION`, by which data sets on disk are told apart, and write it anew.
"""

import numpy as np
import pytest

from mezzotint.world import VERSION, caption, render, sample_scene
from mezzotint.world.scene import DENSITIES, STAGES

OF_VERSION = 3
RECORD = """\
190.2 a panda indoors
 43.1 a monkey at golden hour, glowing neon
196.5 a suitcase
175.0 desert, blue backpack
107.9 a city skyline at sunset in clear weather
107.0 a photo of two umbrellas in a moonlit wintry forest
119.5 a light bulb under a planet, in the rain
131.2 four frogs, farm
172.3 the medium-sized alien on the left in the village at sunrise
 54.0 indoors, an ice cream, neon style
197.6 an ink drawing of sunglasses
191.6 ice cream cone, room
158.0 a flat illustration of a little sheep in a hair bow to the left of a large turtle in a cit
128.0 a rooster in the ocean, cinematic
 79.5 a paper-cut ladybug
201.4 koala wearing a bow, snowy landscape, golden hour, watercolour painting, cinematic
"""


def told(seed: int) -> str:
    """How bright the picture of a seed is in the mean, of 255, and a caption of its scene."""
    scene = sample_scene(seed, STAGES[seed // 4 % len(STAGES)])
    text = caption(scene, seed, DENSITIES[seed % len(DENSITIES)])
    return f"{np.mean(render(scene, 64)):5.1f} {text[:90]}"


@pytest.mark.usefixtures("tarball")
@pytest.mark.parametrize(("seed", "before"), enumerate(RECORD.splitlines()))
def test_what_a_seed_gives_is_what_it_gave(seed: int, before: str):
    assert VERSION == OF_VERSION, "write the record anew"
    now = told(seed)
    assert now[6:] == before[6:]
    assert float(now[:6]) == pytest.approx(float(before[:6]), abs=0.3)  # another resvg or Pillow


if __name__ == "__main__":
    print("\n".join(told(seed) for seed in range(16)))
