import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.training.draw import Draw, visits

CPU = torch.device("cpu")
seeds = st.integers(0, 2**40)


@given(seed=seeds, size=st.integers(1, 60), epoch=st.integers(0, 5))
def test_every_sample_is_visited_once_an_epoch(seed, size, epoch):
    assert sorted(visits(seed, size, epoch * size, size)) == list(range(size))


@given(
    seed=seeds, size=st.integers(1, 20), cuts=st.lists(st.integers(1, 30), min_size=1, max_size=6)
)
def test_the_order_does_not_depend_on_how_it_is_cut_into_batches(seed, size, cuts):
    starts = np.cumsum([0, *cuts])
    parts = [visits(seed, size, int(s), n) for s, n in zip(starts, cuts, strict=False)]
    assert np.array_equal(np.concatenate(parts), visits(seed, size, 0, sum(cuts)))


def test_epochs_and_seeds_differ():
    assert not np.array_equal(visits(0, 50, 0, 50), visits(0, 50, 50, 50))
    assert not np.array_equal(visits(0, 50, 0, 50), visits(1, 50, 0, 50))


@given(seed=seeds, step=st.integers(0, 10**6), parts=st.integers(1, 4), part=st.integers(1, 5))
def test_processes_share_the_numbers_of_one(seed, step, parts, part):
    batch = parts * part
    whole = Draw(seed, step, batch, slice(None), CPU)
    draws = [Draw(seed, step, batch, slice(k * part, (k + 1) * part), CPU) for k in range(parts)]
    for of in (
        lambda d: d.normal("a", 3).numpy(),
        lambda d: d.uniform("b").numpy(),
        lambda d: d.integers("c", 7),
        lambda d: d.integers("d", [3, 9]),
        lambda d: d.chances("e"),
    ):
        assert np.array_equal(np.concatenate([of(draw) for draw in draws]), of(whole))
    assert {draw.coin("f") for draw in draws} == {whole.coin("f")}
    assert torch.equal(draws[-1].whole.normal("a"), whole.normal("a"))


def test_streams_steps_and_seeds_are_independent():
    draws = [
        Draw(seed, step, 4000, slice(None), CPU).normal(stream)
        for seed, step, stream in [(0, 0, "a"), (0, 0, "b"), (0, 1, "a"), (1, 0, "a")]
    ]
    correlation = torch.corrcoef(torch.stack(draws)) - torch.eye(4)
    assert correlation.abs().max() < 0.08  # 5 standard deviations
