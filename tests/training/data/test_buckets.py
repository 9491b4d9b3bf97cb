from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from mezzotint.errors import InputError
from mezzotint.families.stable_diffusion import SD1
from mezzotint.training.data.buckets import Plan, buckets, cropped, nearest
from mezzotint.training.draw import Draw

CPU = torch.device("cpu")
KEPT = 0.85  # of a picture between 1:4 and 4:1, at sizes that the step divides


@st.composite
def families(draw):
    multiple = draw(st.sampled_from([4, 8, 16, 32]))
    size = multiple * draw(st.integers(1, 1024 // multiple))
    least = multiple * draw(st.integers(1, size // multiple))
    most = multiple * draw(st.integers(size // multiple, 2 * size // multiple))
    return replace(SD1, multiple=multiple, smallest=least, largest=most), size


def possible(family, size):
    """Every pair of sides that could be a bucket, and of which none could be longer."""
    step = next(
        s for s in range(family.multiple, 10**4, family.multiple) if s >= min(64, size // 8)
    )
    sides = [
        side
        for side in range(step, 2 * size + 1, step)
        if family.smallest <= side <= family.largest and 2 * side >= size
    ]
    fitting = {(w, h) for w in sides for h in sides if w * h <= size * size}
    return {
        (w, h)
        for w, h in fitting
        if not all(
            any(pair in fitting for pair in longer)
            for longer in ([(w, s) for s in sides if s > h], [(s, h) for s in sides if s > w])
        )
    } | {(size, size)}


@given(families())
def test_the_buckets_are_the_largest_of_every_side(which):
    family, size = which
    found = buckets(family, size)
    assert set(found) == possible(family, size)
    assert len(set(found)) == len(found)
    assert found[0] == (size, size)
    assert {(h, w) for w, h in found} == set(found)
    assert all(side % family.multiple == 0 for pair in found for side in pair)
    assert all(w * h <= size * size for w, h in found)
    assert all(family.smallest <= side <= family.largest for pair in found for side in pair)


def test_the_oracle_of_buckets_tells_sizes_apart():
    assert set(buckets(SD1, 512)) != possible(SD1, 448)


@given(
    st.sampled_from([256, 512, 768, 1024]), st.tuples(st.integers(1, 9999), st.integers(1, 9999))
)
def test_a_picture_goes_to_the_nearest_shape_and_loses_little(size, shape):
    sizes = buckets(SD1, size)
    width, height = nearest(sizes, shape)

    def stretch(pair):
        ratio = Fraction(shape[0] * pair[1], shape[1] * pair[0])
        return max(ratio, 1 / ratio)

    best = min(map(stretch, sizes))
    assert stretch((width, height)) == pytest.approx(float(best))
    if Fraction(1, 4) <= Fraction(*shape) <= 4:
        assert 1 / best >= KEPT
        assert width * height >= 0.8 * size * size


def test_of_one_shape_the_largest_is_nearest():
    assert nearest([(32, 32), (64, 64), (48, 48)], (500, 500)) == (64, 64)


@pytest.mark.parametrize("size", [0, 100, 4104, 516])
def test_a_size_that_is_not_the_familys_is_refused(size):
    with pytest.raises(InputError, match=f"pictures of size {size}: sd1 takes multiples of 8"):
        buckets(SD1, size)


def noisy(width, height):
    rng = np.random.default_rng(width * 1000 + height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


@given(*[st.integers(3, 50)] * 4)
def test_a_crop_is_the_middle_of_what_covers(width, height, w, h):
    picture = noisy(width, height)
    made = np.asarray(cropped(picture, (w, h), picture.size)).astype(int)
    wanted = np.asarray(ImageOps.fit(picture, (w, h), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(made - wanted).max() <= 1  # the box's corners are rounded in another order


def test_a_crop_elsewhere_is_seen():
    picture = noisy(40, 20)
    wanted = ImageOps.fit(picture, (16, 16), Image.Resampling.LANCZOS, centering=(0.45, 0.5))
    made = cropped(picture, (16, 16), picture.size)
    assert np.abs(np.asarray(made).astype(int) - np.asarray(wanted)).max() > 1


def test_a_companion_of_another_size_stays_on_its_picture():
    picture = Image.new("RGB", (80, 40))
    picture.paste((255, 255, 255), (30, 10, 50, 30))
    companion = picture.resize((40, 20), Image.Resampling.BOX)
    one = np.asarray(cropped(picture, (32, 24), picture.size))[..., 0] > 127
    other = np.asarray(cropped(companion, (32, 24), picture.size))[..., 0] > 127
    assert (one == other).mean() > 0.97
    assert 0.1 < one.mean() < 0.9


def draw_of(step, batch, rows=slice(None), seed=0):
    return Draw(seed, step, batch, rows, CPU)


POOLS = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=4), min_size=1, max_size=4)


def pools_of(repeats):
    numbers = iter(range(99))
    return tuple(np.array([k for r in pool for k in [next(numbers)] * r]) for pool in repeats)


def visited(rows, steps, count):
    return np.bincount(np.concatenate([rows(step) for step in range(steps)]), minlength=count)


@given(POOLS, st.integers(1, 5), st.integers(0, 2**40))
def test_every_sample_is_visited_as_often_as_it_repeats(repeats, batch, seed):
    plan = Plan(pools_of(repeats))
    flat = np.array([r for pool in repeats for r in pool])
    for first in (0, plan.entries):  # an epoch, and the next
        seen = visited(
            lambda step, first=first: plan.rows(draw_of(first + step, batch, seed=seed)),
            plan.entries,
            len(flat),
        )
        assert (seen == batch * flat).all()


def test_going_over_the_buckets_in_turn_would_not_be_fair():
    pools = pools_of([[1], [1, 1, 1]])
    seen = visited(lambda step: np.resize(pools[step % 2], 4), 4, 4)
    assert len(set(seen.tolist())) > 1


@given(POOLS, st.integers(1, 6), st.integers(0, 50))
def test_a_batch_is_of_one_pool_the_same_for_any_number_of_processes(repeats, part, step):
    plan = Plan(pools_of(repeats))
    whole = plan.rows(draw_of(step, 2 * part))
    assert sum(bool(set(whole) & set(pool)) for pool in plan.pools) == 1
    halves = [plan.rows(draw_of(step, 2 * part, rows)) for rows in (slice(part), slice(part, None))]
    assert np.concatenate(halves).tolist() == whole.tolist()
    again = Plan(pools_of(repeats)).rows(draw_of(step, 2 * part))
    assert again.tolist() == whole.tolist()


@given(POOLS)
def test_a_batch_holds_each_entry_once_before_one_comes_again(repeats):
    plan = Plan(pools_of(repeats))
    assume(len(plan.pools[0]) > 1)
    (pool,) = Plan(plan.pools[:1]).pools
    rows = Plan((pool,)).rows(draw_of(3, len(pool)))
    assert sorted(rows) == sorted(pool)


def test_another_seed_is_another_order():
    plan = Plan((np.arange(20), np.arange(20, 30)))
    orders = {
        tuple(np.concatenate([plan.rows(draw_of(step, 2, seed=seed)) for step in range(9)]))
        for seed in range(3)
    }
    assert len(orders) == 3
