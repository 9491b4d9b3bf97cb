import numpy as np
import pytest

from mezzotint.world import contact_sheet, render, sample_scene

pytestmark = pytest.mark.usefixtures("tarball")


def test_a_sheet_shows_its_seeds_in_rows():
    sheet = np.asarray(contact_sheet([5, 6, 7], columns=2, size=64))
    picture = render(sample_scene(5), 64)
    assert np.array_equal(sheet[8 : 8 + 64, 8 : 8 + 64], picture)
    assert sheet.shape[0] > 2 * 64 > 64
    assert 2 * 64 < sheet.shape[1] < 3 * 64
    below = sheet[8 + 64 + 2 : 8 + 64 + 12, 8 : 8 + 64]
    assert below.min() < 128  # a caption is written there
