import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from squares import PARAMS
from torch.nn import functional as F

from mezzotint.models.detector import Detector, Maps, iou, objects
from mezzotint.models.pyramid import CELLS, shrunk

KINDS, COLOURS = 5, 3


def maps_of(rows: list[tuple[int, int, int, int, float, float]]) -> Maps:
    """What a detector should say of objects: kind, colour, cell x and y, width and height."""
    heat = torch.full((1, CELLS, CELLS), -9.0)
    kinds, colours = torch.zeros(1, KINDS, CELLS, CELLS), torch.zeros(1, COLOURS, CELLS, CELLS)
    boxes = torch.zeros(1, 4, CELLS, CELLS)
    for kind, colour, x, y, width, height in rows:
        heat[0, y, x] = 5.0
        kinds[0, kind, y, x] = colours[0, colour, y, x] = 9.0
        boxes[0, :, y, x] = torch.tensor([0.25, -0.25, *torch.tensor([width, height]).log()])
    return Maps(heat, kinds, colours, boxes, ())


@st.composite
def apart(draw):
    """Objects no two of whose centres are in neighbouring cells."""
    cells = draw(st.lists(st.integers(0, 99), min_size=0, max_size=6, unique=True))
    sizes = st.floats(0.5, 20, width=32)
    return [
        (
            draw(st.integers(0, KINDS - 1)),
            draw(st.integers(0, COLOURS - 1)),
            3 * (cell % 10) + 1,
            3 * (cell // 10) + 1,
            draw(sizes),
            draw(sizes),
        )
        for cell in cells
    ]


@given(apart())
@settings(max_examples=40, deadline=None)
def test_objects_are_read_back(rows):
    seen = objects(maps_of(rows), overlap=1.0)
    found = int((seen.scores[0] > 0.5).sum())
    assert found == len(rows)
    told = {
        (
            int(seen.kinds[0, n]),
            int(seen.colours[0, n]),
            *(round(v, 4) for v in seen.boxes[0, n].tolist()),
        )
        for n in range(found)
    }
    expected = set()
    for kind, colour, x, y, width, height in rows:
        middle, half = (x + 0.75, y + 0.25), (width / 2, height / 2)
        box = [
            (m + sign * h) / CELLS for sign in (-1, 1) for m, h in zip(middle, half, strict=True)
        ]
        expected.add((kind, colour, *box))
    for one, other in zip(sorted(told), sorted((k, c, *b) for k, c, *b in expected), strict=True):
        assert one == pytest.approx(other, abs=1e-3)


def test_neighbours_of_a_peak_are_none():
    maps = maps_of([(0, 0, 10, 10, 6, 6)])
    maps.heat[0, 9:12, 9:12] = 4.0
    maps.heat[0, 10, 10] = 5.0
    assert (objects(maps).scores > 0.2).sum() == 1
    maps.heat[0, 10, 13] = 4.0  # two cells from those
    assert (objects(maps).scores > 0.1).sum() == 2


def test_a_second_peak_of_one_object_is_dropped():
    twice = [(1, 0, 10, 10, 12.0, 12.0), (1, 0, 13, 10, 12.0, 12.0)]
    assert (objects(maps_of(twice)).scores > 0.5).sum() == 1
    other_kind = [twice[0], (2, *twice[1][1:])]
    assert (objects(maps_of(other_kind)).scores > 0.5).sum() == 2
    elsewhere = [twice[0], (1, 0, 20, 10, 12.0, 12.0)]
    assert (objects(maps_of(elsewhere)).scores > 0.5).sum() == 2


@given(st.lists(st.tuples(*[st.integers(0, 12)] * 4), min_size=2, max_size=2))
@settings(max_examples=25, deadline=None)
def test_overlap_is_counted_in_pixels(pair):
    grids, boxes = [], []
    for x, y, width, height in pair:
        width, height = width + 1, height + 1
        grid = torch.zeros(32, 32, dtype=torch.bool)
        grid[y : y + height, x : x + width] = True
        grids.append(grid)
        boxes.append([float(x), float(y), float(x + width), float(y + height)])
    expected = (grids[0] & grids[1]).sum() / (grids[0] | grids[1]).sum()
    found = iou(torch.tensor([[boxes[0]]]), torch.tensor([[boxes[1]]]))
    torch.testing.assert_close(found[0, 0, 0], expected)


def test_larger_pictures_are_averaged_down():
    images = torch.randn(2, 3, 512, 512)
    torch.testing.assert_close(shrunk(images), F.avg_pool2d(images, 4))
    small = torch.randn(2, 3, 128, 128)
    assert shrunk(small) is small


def test_every_map_has_its_shape_and_is_exact_under_autocast():
    network = Detector(PARAMS).eval()
    images = torch.randn(2, 3, 128, 128)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        maps = network(images)
    assert maps.heat.shape == (2, CELLS, CELLS)
    assert maps.kinds.shape == (2, 2, CELLS, CELLS)
    assert maps.colours.shape == (2, 3, CELLS, CELLS)
    assert maps.boxes.shape == (2, 4, CELLS, CELLS)
    assert [said.shape[1] for said in maps.answers] == [2, 1, 1, 1, 1]
    # in bfloat16 many of 1024 logits so near one another would be equal
    assert len(maps.heat[0].unique()) > 1000
    assert len(maps.heat[0].bfloat16().unique()) < 900


def test_a_picture_is_seen_alike_in_any_batch():
    network = Detector(PARAMS).eval()
    images = torch.randn(3, 3, 128, 128)
    with torch.no_grad():
        together, alone = network(images), network(images[1:2])
    torch.testing.assert_close(together.heat[1:2], alone.heat, atol=1e-5, rtol=1e-5)
