import pytest
import torch
from album import Album

from mezzotint.evals.steering import likeness
from mezzotint.evals.steering.likeness import cosines, manners, show_content, show_style, views
from mezzotint.world import second_view

SIZE = 32
VIEWS, MANNERS = views(8), manners(7)
whole = lambda picture: picture  # noqa: E731


@pytest.fixture
def album(monkeypatch):
    made = Album()
    monkeypatch.setattr(likeness, "painted", made.picture)
    return made


def first(section):
    return section.findings[0]


def content(album, draw):
    return first(show_content(draw, album.features, VIEWS, whole, SIZE))


def test_a_second_view_has_all_of_what_it_is_measured_by(album):
    by_seed = {view.seed: view for view in VIEWS}
    found = content(album, lambda w, seed, p: album.picture(by_seed[seed].other, SIZE))
    assert found.found.value == found.ceiling == pytest.approx(1)
    assert found.floor < 0.6
    assert found.reached


def test_another_scenes_things_are_not_the_pictures(album):
    wrong = {view.seed: VIEWS[k - 3].other for k, view in enumerate(VIEWS)}
    found = content(album, lambda w, seed, p: album.picture(wrong[seed], SIZE))
    assert found.found.value < 0.6
    assert not found.reached


def test_views_have_things_and_words_that_name_none_of_them():
    for view in VIEWS:
        assert view.scene.things
        assert view.other == second_view(view.scene, view.seed)
        assert not any(thing.name in view.words for thing in view.scene.things)


def styled(manner, style):
    return likeness._restyled(manner.prompt.scene, style)


def test_a_style_is_taken_over_or_not(album):
    by_seed = {manner.prompt.seed: manner for manner in MANNERS}

    def draw(text, seed, picture):
        scene = album.scene(picture) if picture else None
        return album.picture(styled(by_seed[seed], scene.style if scene else "storybook"), SIZE)

    right = show_style(draw, album, MANNERS, whole, SIZE)
    assert (first(right).found.value, first(right).ceiling, first(right).floor) == (1, 1, 0)
    assert right.findings[1].found.value == 1  # the prompts are fulfilled as well
    blind = show_style(lambda t, s, p: draw(t, s, None), album, MANNERS, whole, SIZE)
    assert first(blind).found.value == 0
    copied = show_style(
        lambda t, s, p: p if p else draw(t, s, p), album, MANNERS, whole, SIZE
    )  # the picture itself
    assert first(copied).found.value == 1
    assert copied.findings[1].found.value == 0


def test_every_style_but_the_default_is_shown_and_none_is_said():
    assert len({manner.style for manner in MANNERS}) == 7
    assert not any(manner.style in manner.prompt.text for manner in MANNERS)


def test_cosines_are_of_partners():
    a = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    assert cosines(a, torch.tensor([[3.0, 0.0], [1.0, 1.0]])) == pytest.approx([1, 0.5**0.5])
