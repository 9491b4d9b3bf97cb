"""What is remembered of one run of a sampler, and when it is forgotten."""

import gc

import torch
from hypothesis import given
from hypothesis import strategies as some
from torch import Tensor

from mezzotint.adapters.base import Run
from mezzotint.adapters.savings.recall import Call, Recall

X, T, TOLD = torch.zeros(1, 2, 4, 4), torch.zeros(1), torch.ones(1, 3, 2)


def called(recall: Recall[str], *told: Tensor | None, x: Tensor = X) -> Call[str]:
    call = recall.call(x, T, *told)
    assert call is not None
    return call


def begun() -> tuple[Recall[str], Run]:
    recall, run = Recall[str](), Run()
    recall.run(run)
    recall.at(0.0)
    return recall, run


def test_outside_of_a_run_nothing_is_remembered() -> None:
    recall = Recall[str]()
    recall.at(0.5)
    assert recall.call(X, T) is None
    recall, run = begun()
    assert recall.call(X, T) is not None
    del run
    gc.collect()
    assert recall.call(X, T) is None


@given(some.lists(some.tuples(some.integers(0, 2), some.integers(1, 3)), max_size=12))
def test_runs_in_any_order_remember_their_own(turns: list[tuple[int, int]]) -> None:
    recall, runs, steps = Recall[str](), [Run(), Run(), Run()], [0, 0, 0]
    for which, asked in turns:
        for _ in range(asked):  # several times at one time, as second-order samplers do
            recall.run(runs[which])
            recall.at(steps[which] / 20)
            call = called(recall, TOLD)
            assert call.kept == (f"{which}" if steps[which] or _ else None)
            assert call.step == steps[which]
            call.kept = f"{which}"
        steps[which] += 1


def test_calls_of_one_step_are_kept_apart_even_where_they_are_told_the_same() -> None:
    recall, run = begun()
    for name in ("a", "b", "c"):
        called(recall, TOLD).kept = name
    for progress in (0.0, 0.1):
        recall.at(progress)
        assert [called(recall, TOLD).kept for _ in range(3)] == ["a", "b", "c"]
    assert run


def test_another_prompt_or_size_is_another_call() -> None:
    recall, run = begun()
    others = [(TOLD + 1,), (TOLD[:, :2],), (TOLD, TOLD), (TOLD, None), (None,), ()]
    for other in others:
        recall.at(0.0)
        called(recall, TOLD).kept = "kept"
        recall.at(0.0)
        assert called(recall, TOLD.clone()).kept == "kept"
        recall.at(0.0)
        assert called(recall, *other).kept is None
    recall.at(0.0)
    called(recall, TOLD).kept = "kept"
    recall.at(0.0)
    assert called(recall, TOLD, x=X[..., :2]).kept is None
    assert run


def test_going_back_begins_afresh() -> None:
    recall, run = begun()
    recall.at(0.5)
    called(recall, TOLD).kept = "kept"
    recall.at(0.5)
    assert (called(recall, TOLD).kept, called(recall, TOLD).step) == ("kept", 1)
    recall.at(0.4)
    call = called(recall, TOLD)
    assert (call.kept, call.step) == (None, 0)
    assert run
