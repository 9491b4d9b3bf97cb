"""A seed gives the same scene, caption and picture for ever.

What is promised for ever can only be held against a record, so this table is copied from a run of
`python tests/world/test_version.py`. Where it no longer holds and is meant not to, raise
`mezzotint.world.VERSION`, by which data sets on disk are told apart, and write it anew.
"""

import numpy as np
import pytest

from mezzotint.world import VERSION, caption, render, sample_scene
from mezzotint.world.scene import DENSITIES, STAGES

OF_VERSION = 1
RECORD = """\
 77.7 a pink flower on the left side among the stars in space, flat style
 74.5 a sunflower on the beach at sunset, neon style
 62.8 bee, space, flat art
162.5 the large teddy bear on a city street by day, flat style
180.4 a pink heart in the sea in the evening, ink drawing style
141.1 planet, crown, underwater, sunset
169.9 a locomotive in a desert at noon, flat style
 54.9 a brown horse to the right of a butterfly in space
 77.2 purple octopus, sea, night
 88.1 a giraffe to the left of a robot in a desert in falling snow by moonlight, neon art style
157.9 a bell at the bottom of the sea, flat style
104.5 camera, meadow, night, rain, neon
101.6 a swan in front of a city skyline at night, flat art
170.7 a truck on the water
146.3 red drum, forest
144.0 a small cow on the right side under the sea at night, ink sketch
"""


def told(seed: int) -> str:
    """How bright the picture of a seed is in the mean, of 255, and a caption of its scene."""
    scene = sample_scene(seed, STAGES[seed % len(STAGES)])
    text = caption(scene, seed, DENSITIES[seed % len(DENSITIES)])
    return f"{np.mean(render(scene, 64)):5.1f} {text}"


@pytest.mark.usefixtures("tarball")
@pytest.mark.parametrize(("seed", "before"), enumerate(RECORD.splitlines()))
def test_what_a_seed_gives_is_what_it_gave(seed: int, before: str):
    assert VERSION == OF_VERSION, "write the record anew"
    now = told(seed)
    assert now[6:] == before[6:]
    assert float(now[:6]) == pytest.approx(float(before[:6]), abs=0.3)  # another resvg or Pillow


if __name__ == "__main__":
    print("\n".join(told(seed) for seed in range(16)))
