"""Which weights a model has, where its files say nothing of that."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from mezzotint.diffusion import Process
from mezzotint.pipeline.identity import weights_digest


@pytest.fixture
def bare(tiny_model):
    return replace(tiny_model, digest="")


def test_a_digest_that_is_there_stands(tiny_model, bare):
    assert weights_digest(tiny_model) == tiny_model.digest
    assert len(weights_digest(bare)) == 10
    assert weights_digest(bare) == weights_digest(deepcopy(bare))


@pytest.mark.parametrize("part", ["network", "autoencoder", "text"])
def test_every_weight_of_every_part_counts(bare, part: str):
    digests = {weights_digest(bare)}
    for number in range(3):
        other = deepcopy(bare)
        weight = list(other.modules[part].parameters())[number]
        with torch.no_grad():
            weight.view(-1)[-1] += 1e-3
        digests.add(weights_digest(other))
    assert len(digests) == 4


def test_what_else_is_read_from_a_checkpoint_counts(bare):
    family = bare.family
    others = [
        replace(bare, family=replace(family, prediction="v")),
        replace(bare, family=replace(family, process=Process.scaled_linear())),
        replace(bare, latent_std=2 * bare.latent_std),
        deepcopy(bare),
    ]
    others[-1].network.to(torch.bfloat16)
    assert len({weights_digest(each) for each in (bare, *others)}) == 5


def test_two_processes_of_one_name_are_told_apart(bare):
    curve = bare.family.process.curve
    other = replace(bare.family.process, curve=lambda t: (curve(t)[0], 2 * curve(t)[1]))
    assert weights_digest(replace(bare, family=replace(bare.family, process=other))) != (
        weights_digest(bare)
    )
