import pytest

from mezzotint.evals.asking import SURE, Ask, Wanted, fulfilled
from mezzotint.evals.judge import Seen, Sighting

LEFT, RIGHT = (0.1, 0.4, 0.4, 0.9), (0.6, 0.4, 0.9, 0.9)


def seen(*objects, place="snow", hour="night", style="ink"):
    return Seen(objects, place, hour, "summer", "clear", style)


def fox(box=LEFT, colour=None, score=0.9):
    return Sighting("fox", colour, box, score)


def car(box=RIGHT, colour=None, score=0.9):
    return Sighting("car", colour, box, score)


def test_a_picture_without_what_was_asked_for_fails():
    ask = Ask((Wanted("fox"),))
    assert fulfilled(ask, seen(fox()))
    assert fulfilled(ask, seen(fox(), fox(RIGHT), car()))
    assert not fulfilled(ask, seen(car()))
    assert not fulfilled(ask, seen(fox(score=SURE - 0.01)))


def test_all_things_have_to_be_there():
    ask = Ask((Wanted("fox"), Wanted("car")))
    assert fulfilled(ask, seen(fox(), car()))
    assert not fulfilled(ask, seen(fox(), fox(RIGHT)))


@pytest.mark.parametrize("asked", [1, 2, 3])
@pytest.mark.parametrize("there", [0, 1, 2, 3])
def test_numbers_are_exact(asked, there):
    ask = Ask((Wanted("fox", count=asked),))
    foxes = [fox((k / 4, 0.5, k / 4 + 0.2, 0.9)) for k in range(there)]
    assert fulfilled(ask, seen(*foxes, car())) == (asked == there)


def test_the_surest_sighting_has_the_colour():
    ask = Ask((Wanted("car", colour="red"),))
    assert fulfilled(ask, seen(car(colour="red"), car(LEFT, colour="blue", score=0.5)))
    assert not fulfilled(ask, seen(car(colour="red", score=0.5), car(LEFT, colour="blue")))
    assert not fulfilled(ask, seen(car(colour=None)))


def test_the_surest_sightings_are_in_the_relation():
    ask = Ask((Wanted("fox"), Wanted("car")), position="left of")
    assert fulfilled(ask, seen(fox(LEFT), car(RIGHT)))
    assert not fulfilled(ask, seen(fox(RIGHT), car(LEFT)))
    assert not fulfilled(ask, seen(fox(LEFT, score=0.5), fox(RIGHT, score=0.9), car(LEFT)))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (Ask(place="snow"), Ask(place="city")),
        (Ask(place="snow", hour="night"), Ask(place="snow", hour="day")),
        (Ask((Wanted("fox"),), style="ink"), Ask((Wanted("fox"),), style="oil")),
        (Ask((Wanted("fox"),), style="ink"), Ask((Wanted("owl"),), style="ink")),
        (Ask(), Ask((Wanted("owl"),))),
    ],
)
def test_every_question_counts(right, wrong):
    assert fulfilled(right, seen(fox()))
    assert not fulfilled(wrong, seen(fox()))
