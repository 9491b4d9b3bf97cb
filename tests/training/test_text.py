"""What captions say, as questions, and a tower that learns to answer them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.models.clip import CLIPTextParams, TowerParams
from mezzotint.training.data.facts import QUESTIONS, SLOTS, facts, scene_facts
from mezzotint.training.data.judge_scene import NAMES
from mezzotint.training.data.scenes import SceneSet, scene_captions
from mezzotint.training.data.tokens import encode
from mezzotint.training.draw import Draw
from mezzotint.training.tasks.text import TextRecipe, TextTask
from mezzotint.training.tokenizer import train_tokenizer
from mezzotint.world import sample_scene
from mezzotint.world.scene import COLOURS, PLACES, RELATIONS, STYLES
from mezzotint.world.things import HATS

CPU = torch.device("cpu")
PARAMS = CLIPTextParams(
    TowerParams(width=32, layers=2, heads=2, hidden=64, activation="gelu"),
    vocabulary=360,
    length=12,
    end_token=1,
    projection=32,
)


def told(scene) -> dict[str, int]:
    return dict(zip(QUESTIONS, facts(scene), strict=True))


@given(st.integers(0, 10**6))
def test_the_answers_are_the_scenes(seed):
    scene = sample_scene(seed)
    answers = told(scene)
    assert all(0 <= answers[name] < count for name, count in QUESTIONS.items())
    for slot in range(SLOTS):
        kind = answers[f"kind {slot}"]
        assert (kind == len(NAMES)) == (slot >= len(scene.things))
        if slot < len(scene.things):
            thing = scene.things[slot]
            assert NAMES[kind] == thing.name
            assert answers[f"count {slot}"] + 1 == thing.count
            assert (*COLOURS, None)[answers[f"colour {slot}"]] == thing.colour
            assert (*HATS, None)[answers[f"hat {slot}"]] == thing.hat
    assert (*RELATIONS, None)[answers["relation"]] == scene.relation
    assert PLACES[answers["place"]] == scene.place
    assert STYLES[answers["style"]] == scene.style


def test_a_sets_answers_are_kept_beside_its_captions(tmp_path):
    scenes = SceneSet(32, 12, 5, 2, first_seed=7)
    pictures = scene_captions(tmp_path, scenes)
    kept = scene_facts(pictures, scenes)
    assert kept.tolist()[:5] == [facts(sample_scene(7 + k, "single")) for k in range(5)]
    assert kept.tolist()[5:] == [facts(sample_scene(7 + k)) for k in range(5, 12)]
    written = sorted(tmp_path.rglob("*-facts.npy"))
    before = [file.stat().st_mtime_ns for file in written]
    assert np.array_equal(scene_facts(pictures, scenes), kept)
    assert written
    assert [file.stat().st_mtime_ns for file in written] == before


@pytest.fixture(scope="module")
def sample():
    """Plain captions of some scenes, their answers, and a tokenizer that has read them."""
    scenes = [sample_scene(seed, "single", ("fox", "car", "apple")) for seed in range(96)]
    captions = [f"a {scene.things[0].name} in {scene.place}" for scene in scenes]
    tokenizer = train_tokenizer(captions, PARAMS.vocabulary, PARAMS.length)
    tokens = encode(tokenizer, captions)[:, None]
    return tokens, np.array([facts(scene) for scene in scenes], np.int16), tokenizer


def learned(sample, answers) -> TextTask:
    """A tower that has seen the first 64 captions with these answers, and is tested on others."""
    tokens, true, tokenizer = sample
    torch.manual_seed(0)
    task = TextTask(
        TextRecipe(PARAMS), 0, (tokens[:64], answers), (tokens[64:], true[64:]), tokenizer, CPU
    )
    optimizer = torch.optim.AdamW(task.network.parameters(), 3e-3)
    for step in range(130):
        draw = Draw(0, step, 32, slice(None), CPU)
        loss, _ = task.loss(task.batch(draw), draw)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return task


@pytest.fixture(scope="module")
def reader(sample) -> TextTask:
    return learned(sample, sample[1][:64])


def kinds(task: TextTask) -> float:
    with torch.no_grad():
        tokens, true = task.held_out
        said, _ = task.network(torch.from_numpy(tokens[:, 0].astype(np.int64)))
        return (said[0].argmax(1).numpy() == true[:, 0]).mean()


def test_a_tower_learns_what_captions_say(sample, reader):
    assert kinds(reader) > 0.9
    mixed = np.random.default_rng(0).permutation(sample[1][:64])
    assert kinds(learned(sample, mixed)) < 0.7  # a third would be by chance


def test_it_shows_figures_and_how_alike_words_are(reader, tmp_path):
    with torch.no_grad():
        figures = reader.validate()
        picture = np.asarray(reader.grid())
    assert figures["kind"] == pytest.approx(
        (kinds(reader) + 2) / 3, abs=1e-6
    )  # two are never there
    assert picture.shape[0] == picture.shape[1]
    assert (np.diagonal(picture)[:-1] >= 254).all()
    reader.export(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {
        *("text.safetensors", "text.json", "tokenizer.json")
    }


def test_the_context_is_asked_as_a_denoiser_reads_it(sample):
    """Its last layer is left out there, and only the vector's answers come through that."""
    tokens, true, tokenizer = sample
    task = TextTask(TextRecipe(PARAMS), 0, (tokens, true), (tokens, true), tokenizer, CPU)
    rows = torch.from_numpy(tokens[:4, 0].astype(np.int64))
    of_context, of_vector = task.network(rows)
    last = next(task.network.text.layers[-1].parameters())

    def reaches(said) -> bool:
        loss = F.cross_entropy(said[0], torch.zeros(4, dtype=torch.int64))
        (gradient,) = torch.autograd.grad(loss, last, retain_graph=True, allow_unused=True)
        return gradient is not None and bool(gradient.any())

    assert reaches(of_vector)
    assert not reaches(of_context)
