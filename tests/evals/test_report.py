"""What an evaluation found, as it is shown."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mezzotint.evals.accuracy import Report, Score, Scores
from mezzotint.evals.clip_score import CLIPScore
from mezzotint.evals.diversity import Diversity
from mezzotint.evals.fidelity import Distances, Fidelity
from mezzotint.evals.report import (
    COLUMNS,
    MARGIN,
    Drawing,
    Evaluation,
    as_json,
    contact_sheet,
    table,
)


def scores(share: float) -> Scores:
    return Scores({"count": Score(share, share - 0.1, share + 0.1)})


FOUND = Evaluation(
    Drawing("storybook", "0123456789", 20, "dpmpp_2m", "karras", 4.0, 256, 256, 0.87),
    Report(scores(0.52), scores(0.98), scores(0.13), prompts=10, images_per_prompt=2),
    Fidelity(Distances(3, 0.2, 0.7, 0.6), Distances(2, 0.01, 0.9, 0.8), 0.02, 10, 20),
    CLIPScore(drawn=1.5, margin=0.1, true=2.0, shuffled=0.3),
    Diversity(seeds=1, prompts=4, ratio=0.25),
)


def test_the_table_says_every_figure_beside_its_bounds():
    title, *lines = table(FOUND).splitlines()
    assert title.startswith("storybook 0123456789, 256x256: 20 steps of dpmpp_2m on karras, cfg 4")
    assert title.endswith("0.87 s a picture")
    rows = {" ".join(line.split()) for line in lines}
    assert rows >= {
        "model true scenes by chance",
        "prompt accuracy, % 52.0 (42…62) 98.0 13.0",
        "count 52.0 (42…62) 98.0 13.0",
        "Fréchet distance 3 (1.5x) 2",
        "kernel distance 0.2 0.01",
        "precision 0.70 0.90",
        "recall 0.60 0.80",
        "nearer than 99 % of scenes 2.0% 1.0%",
        "CLIP score 1.500 ± 0.100 2.000 0.300",
        "diversity between seeds 0.25 1.00",
    }
    assert max(map(len, lines)) <= 72


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("accuracy", "accuracy"),
        ("fidelity", "Fréchet"),
        ("clip", "CLIP"),
        ("diversity", "diversity"),
    ],
)
def test_what_was_not_measured_is_not_told(part: str, words: str):
    less = replace(FOUND, **{part: None})
    assert words in table(FOUND)
    assert words not in table(less)
    assert json.loads(as_json(less))[part] is None


def test_the_file_has_every_number():
    told = json.loads(as_json(FOUND))
    assert told["drawing"]["seconds"] == 0.87
    assert told["accuracy"]["drawn"]["overall"]["share"] == 0.52
    assert told["fidelity"]["held_out"]["recall"] == 0.8
    assert told["clip"]["shuffled"] == 0.3
    assert told["diversity"]["ratio"] == 0.25


@pytest.mark.parametrize("count", [1, COLUMNS, COLUMNS + 1])
def test_a_sheet_shows_every_picture_in_order(count: int):
    colours = np.random.default_rng(0).integers(0, 200, (count, 3))
    pictures = [Image.new("RGB", (40, 30), tuple(map(int, colour))) for colour in colours]
    sheet = contact_sheet(pictures, ["a long text " * 9] * count)
    high = sheet.height // -(-count // COLUMNS)
    for k, colour in enumerate(colours):
        x, y = MARGIN + k % COLUMNS * (40 + MARGIN), MARGIN + k // COLUMNS * (high - 1)
        assert sheet.getpixel((x + 20, y + 15)) == tuple(colour)
