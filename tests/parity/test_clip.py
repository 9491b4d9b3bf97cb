"""CLIP's towers against transformers' at equal random weights."""

from dataclasses import replace

import pytest
import torch
from oracles import randomised, relative_error
from torch import nn
from transformers.models.clip import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from mezzotint.families.keys.sd_keys import CLIP_TEXT, CLIP_VISION
from mezzotint.families.sizes.sd_presets import VIT_BIGG_TEXT, VIT_H_TEXT, VIT_L_TEXT
from mezzotint.models.clip import (
    CLIPText,
    CLIPTextParams,
    CLIPVision,
    CLIPVisionParams,
    TowerParams,
)

DTYPES = [(torch.float32, 1e-5), (torch.float64, 1e-10)]
END = 96  # tokens above it are a user's own

TOWER = TowerParams(width=32, layers=3, heads=4, hidden=80, activation="quick_gelu")
TEXTS = {
    "openai": CLIPTextParams(TOWER, vocabulary=99, length=12, end_token=END, projection=0),
    "openclip": CLIPTextParams(
        replace(TOWER, activation="gelu"), vocabulary=99, length=12, end_token=END, projection=20
    ),
}
VISION = CLIPVisionParams(replace(TOWER, activation="gelu"), size=24, patch=8, projection=20)


def tower_config(params: TowerParams) -> dict[str, object]:
    return {
        "hidden_size": params.width,
        "num_hidden_layers": params.layers,
        "num_attention_heads": params.heads,
        "intermediate_size": params.hidden,
        "hidden_act": params.activation,
    }


def reference_text(params: CLIPTextParams) -> nn.Module:
    config = CLIPTextConfig(
        vocab_size=params.vocabulary,
        max_position_embeddings=params.length,
        bos_token_id=params.end_token - 1,
        eos_token_id=params.end_token,
        pad_token_id=params.end_token,
        projection_dim=params.projection or 512,
        **tower_config(params.tower),
    )
    return (CLIPTextModelWithProjection if params.projection else CLIPTextModel)(config)


def reference_vision(params: CLIPVisionParams) -> nn.Module:
    config = CLIPVisionConfig(
        image_size=params.size,
        patch_size=params.patch,
        projection_dim=params.projection,
        **tower_config(params.tower),
    )
    return CLIPVisionModelWithProjection(config)


def text_errors(reference: nn.Module, params: CLIPTextParams, dtype: torch.dtype) -> list[float]:
    text = CLIPText(params).to(dtype)
    state = reference.state_dict()
    text.load_state_dict(CLIP_TEXT.to_ours(state, text.state_dict(), "reference"))
    tokens = torch.randint(0, END, (3, 12), generator=torch.Generator().manual_seed(2))
    tokens[:, 5] = torch.tensor([END + 2, 1, END + 1])
    tokens[0, 7:], tokens[1, 11:], tokens[2, 9:] = END, END, END
    with torch.no_grad():
        theirs = reference(tokens, output_hidden_states=True)
        context, pooled = text(tokens)
        skipped, _ = text(tokens, skip=1, normed=False)
    vector = theirs.text_embeds if params.projection else theirs.pooler_output
    return [
        relative_error(context, theirs.last_hidden_state),
        relative_error(pooled, vector),
        relative_error(skipped, theirs.hidden_states[-2]),
    ]


@pytest.mark.parametrize(("dtype", "bound"), DTYPES)
@pytest.mark.parametrize("name", TEXTS)
def test_equal_text(name: str, dtype: torch.dtype, bound: float) -> None:
    reference = randomised(reference_text(TEXTS[name])).to(dtype)
    assert max(text_errors(reference, TEXTS[name], dtype)) <= bound


def test_the_other_gelu_shows() -> None:
    params = TEXTS["openai"]
    reference = randomised(reference_text(params)).double()
    other = replace(params, tower=replace(params.tower, activation="gelu"))
    assert min(text_errors(reference, other, torch.float64)) > 1e-4


def test_the_wrong_end_token_shows() -> None:
    params = TEXTS["openclip"]
    reference = randomised(reference_text(params)).double()
    other = replace(params, end_token=END - 3)
    context_error, pooled_error, _ = text_errors(reference, other, torch.float64)
    assert context_error <= 1e-10
    assert pooled_error > 1e-4


def vision_errors(
    reference: nn.Module, params: CLIPVisionParams, dtype: torch.dtype
) -> list[float]:
    vision = CLIPVision(params).to(dtype)
    state = reference.state_dict()
    vision.load_state_dict(CLIP_VISION.to_ours(state, vision.state_dict(), "reference"))
    images = torch.randn(3, 3, 24, 24, generator=torch.Generator().manual_seed(3), dtype=dtype)
    with torch.no_grad():
        theirs = reference(images, output_hidden_states=True)
        features, pooled = vision(images)
        skipped, _ = vision(images, skip=1)
    return [
        relative_error(features, theirs.last_hidden_state),
        relative_error(pooled, theirs.image_embeds),
        relative_error(skipped, theirs.hidden_states[-2]),
    ]


@pytest.mark.parametrize(("dtype", "bound"), DTYPES)
def test_equal_vision(dtype: torch.dtype, bound: float) -> None:
    reference = randomised(reference_vision(VISION)).to(dtype)
    assert max(vision_errors(reference, VISION, dtype)) <= bound


def test_a_wrong_number_of_heads_shows() -> None:
    reference = randomised(reference_vision(VISION)).double()
    other = replace(VISION, tower=replace(VISION.tower, heads=2))
    assert min(vision_errors(reference, other, torch.float64)) > 1e-4


@pytest.mark.parametrize("params", [VIT_L_TEXT, VIT_H_TEXT, VIT_BIGG_TEXT])
def test_full_size_has_the_published_names_and_shapes(params: CLIPTextParams) -> None:
    with torch.device("meta"):
        theirs = reference_text(params).state_dict()
        ours = CLIPText(params).state_dict()
    assert CLIP_TEXT.to_ours(theirs, ours, "reference").keys() == ours.keys()
    prefix = "" if params.projection else "text_model."  # transformers 5 has dropped it here
    written = CLIP_TEXT.to_theirs(ours)
    assert {k: v.shape for k, v in written.items()} == {
        prefix + k: v.shape for k, v in theirs.items()
    }
