import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import randomised
from torch import Tensor

from mezzotint.errors import InputError
from mezzotint.models.clip import (
    CLIP,
    CLIPText,
    CLIPTextParams,
    CLIPVision,
    CLIPVisionParams,
    TowerParams,
    contrastive_loss,
)

TOWER = TowerParams(width=16, layers=3, heads=2, hidden=40, activation="gelu")
TEXT = CLIPTextParams(TOWER, vocabulary=50, length=10, end_token=49, projection=12)
VISION = CLIPVisionParams(TOWER, size=16, patch=4, projection=12)
NO_SCALE = torch.tensor(0.0)


def vectors(b: int, seed: int) -> Tensor:
    return torch.randn(b, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(place=st.integers(1, 9), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_text_looks_back_only(place: int, seed: int) -> None:
    text = randomised(CLIPText(TEXT))
    tokens = torch.randint(0, 49, (1, 10), generator=torch.Generator().manual_seed(seed))
    other = tokens.clone()
    other[:, place:] = (other[:, place:] + 1) % 49
    before, after = text(tokens)[0], text(other)[0]
    torch.testing.assert_close(before[:, :place], after[:, :place])
    assert (before[:, place] - after[:, place]).abs().max() > 1e-4


def test_a_prompt_is_summed_up_at_its_first_end() -> None:
    text = randomised(CLIPText(TEXT))
    tokens = torch.tensor([[3, 7, 49, 49, 49], [3, 7, 49, 8, 49], [3, 8, 49, 49, 49]])
    _, pooled = text(tokens)
    torch.testing.assert_close(pooled[0], pooled[1])
    assert (pooled[0] - pooled[2]).abs().max() > 1e-4


def test_skipping_layers() -> None:
    text = randomised(CLIPText(TEXT))
    tokens = torch.tensor([[3, 7, 49]])
    contexts = [text(tokens, skip=skip, normed=False)[0] for skip in range(4)]
    torch.testing.assert_close(contexts[3], text.tokens(tokens) + text.positions.weight[:3])
    for deeper, shallower in pairwise(contexts):
        assert (deeper - shallower).abs().max() > 1e-4
    torch.testing.assert_close(text(tokens, skip=2)[0], text.norm_out(contexts[2]))


def test_inputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="11 tokens: a prompt can have at most 10"):
        CLIPText(TEXT)(torch.zeros(1, 11, dtype=torch.long))
    with pytest.raises(InputError, match="16x12: this image tower takes 16x16"):
        CLIPVision(VISION)(torch.zeros(1, 3, 12, 16))


def test_every_weight_matters() -> None:
    clip = randomised(CLIP(TEXT, VISION))
    tokens = torch.randint(0, 49, (4, 10))
    tokens[:, -1] = 49
    clip(tokens, torch.randn(4, 3, 16, 16)).backward()
    for name, weight in clip.named_parameters():
        if not name.endswith("key.bias"):  # shifts all scores of a query alike
            assert weight.grad is not None, name
            assert weight.grad.any(), name


@given(b=st.integers(1, 8), seed=st.integers(0, 99))
def test_loss_is_symmetric_and_blind_to_length_and_order(b: int, seed: int) -> None:
    text, images = vectors(b, seed), vectors(b, seed + 100)
    scale = torch.tensor(1.3).double()
    loss = contrastive_loss(text, images, scale)
    order = torch.randperm(b)
    torch.testing.assert_close(contrastive_loss(images, text, scale), loss)
    torch.testing.assert_close(contrastive_loss(text * 7, images / 3, scale), loss)
    torch.testing.assert_close(contrastive_loss(text[order], images[order], scale), loss)


@given(b=st.integers(2, 8))
def test_loss_of_no_knowledge_and_of_full_knowledge(b: int) -> None:
    same = torch.ones(b, 6)
    own = torch.eye(b)
    assert contrastive_loss(same, same, NO_SCALE).item() == pytest.approx(math.log(b), rel=1e-5)
    assert contrastive_loss(own, own, torch.tensor(math.log(100))).item() < 1e-6
    assert contrastive_loss(own, own.roll(1, 0), NO_SCALE) > contrastive_loss(own, own, NO_SCALE)


def test_scale_stops_at_a_hundred() -> None:
    text, images = vectors(4, 0), vectors(4, 1)
    limit = contrastive_loss(text, images, torch.tensor(math.log(100)))
    assert contrastive_loss(text, images, torch.tensor(9.0)) == limit
    assert contrastive_loss(text, images, torch.tensor(4.0)) < limit


@given(n=st.integers(1, 9), seed=st.integers(0, 99))
def test_rivals_are_captions_that_no_image_picks(n: int, seed: int) -> None:
    text, images, rivals = vectors(4, seed), vectors(4, seed + 100), vectors(n, seed + 200)
    scale = torch.tensor(1.3).double()
    cosine = torch.nn.functional.cosine_similarity
    told = torch.cat([text, rivals])
    across = math.exp(1.3) * cosine(images[:, None], told[None], dim=2)
    down = math.exp(1.3) * cosine(text[:, None], images[None], dim=2)
    expected = -(across.log_softmax(1).diagonal() + down.log_softmax(1).diagonal()).mean() / 2
    torch.testing.assert_close(contrastive_loss(text, images, scale, rivals), expected)
    assert contrastive_loss(text, images, scale) < expected
