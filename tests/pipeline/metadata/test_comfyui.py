"""What ComfyUI writes: graphs as its examples have them, and graphs of any shape."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.pipeline.metadata.comfyui import read_graph
from mezzotint.pipeline.metadata.parameters import Reading

SIZE = (640, 480)


def node(kind: str, **inputs: Any) -> dict:
    return {"class_type": kind, "inputs": inputs}


def default() -> dict[str, dict]:
    """ComfyUI's first graph."""
    return {
        "3": node(
            "KSampler",
            seed=15,
            steps=20,
            cfg=8.0,
            sampler_name="dpmpp_2m",
            scheduler="karras",
            denoise=1.0,
            model=["4", 0],
            positive=["6", 0],
            negative=["7", 0],
            latent_image=["5", 0],
        ),
        "4": node("CheckpointLoaderSimple", ckpt_name="v1-5.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=768, batch_size=1),
        "6": node("CLIPTextEncode", text="a (fox:1.2) in snow", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="blurry", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
    }


def flux() -> dict[str, dict]:
    """FLUX.1 dev as its template has it."""
    return {
        "6": node("CLIPTextEncode", text="a fox", clip=["11", 0]),
        "8": node("VAEDecode", samples=["13", 0], vae=["10", 0]),
        "9": node("SaveImage", images=["8", 0]),
        "10": node("VAELoader", vae_name="ae.safetensors"),
        "11": node(
            "DualCLIPLoader", clip_name1="t5.safetensors", clip_name2="l.safetensors", type="flux"
        ),
        "12": node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="default"),
        "13": node(
            "SamplerCustomAdvanced",
            noise=["25", 0],
            guider=["22", 0],
            sampler=["16", 0],
            sigmas=["17", 0],
            latent_image=["27", 0],
        ),
        "16": node("KSamplerSelect", sampler_name="euler"),
        "17": node("BasicScheduler", scheduler="simple", steps=24, denoise=1, model=["30", 0]),
        "22": node("BasicGuider", model=["30", 0], conditioning=["26", 0]),
        "25": node("RandomNoise", noise_seed=["31", 0]),
        "26": node("FluxGuidance", guidance=3.5, conditioning=["6", 0]),
        "27": node("EmptySD3LatentImage", width=["32", 0], height=1024, batch_size=1),
        "30": node("ModelSamplingFlux", max_shift=1.15, width=1024, model=["12", 0]),
        "31": node("PrimitiveInt", value=77),
        "32": node("PrimitiveNode", value=1024),
    }


def read(graph: object) -> Reading:
    return read_graph(json.dumps(graph), SIZE)


def misses(graph: object) -> str:
    return "\n".join(read(graph).misses)


def test_the_first_graph():
    reading = read(default())
    recipe = reading.recipe
    assert (recipe.prompt, recipe.negative) == ("a (fox:1.2) in snow", "blurry")
    assert (recipe.steps, recipe.cfg, recipe.seed) == (20, 8.0, 15)
    assert (recipe.sampler, recipe.spacing) == ("dpmpp_2m", "karras")
    assert (recipe.width, recipe.height, recipe.batch) == (512, 768, 1)
    assert (recipe.model, recipe.noise) == ("v1-5.safetensors", "comfyui")
    assert (recipe.dialect, recipe.guidance) == ("comfyui", None)
    assert (reading.tool, reading.needs) == ("ComfyUI", ("model 'v1-5.safetensors'",))
    assert reading.misses == ()


def test_a_graph_with_parts_of_a_sampler():
    reading = read(flux())
    recipe = reading.recipe
    assert (recipe.prompt, recipe.negative, recipe.cfg, recipe.guidance) == ("a fox", "", 1.0, 3.5)
    assert (recipe.steps, recipe.seed, recipe.width) == (24, 77, 1024)
    assert (recipe.sampler, recipe.spacing) == ("euler", "")  # the model's own
    assert recipe.model == "flux1-dev.safetensors"
    assert set(reading.needs) == {
        "model 'flux1-dev.safetensors'",
        "VAE 'ae.safetensors'",
        "text encoder 't5.safetensors'",
        "text encoder 'l.safetensors'",
    }
    assert len(reading.misses) == 1
    assert "shift" in reading.misses[0]


def test_loras_become_tags_in_their_order():
    graph = default()
    graph["10"] = node(
        "LoraLoader",
        lora_name="sub/a.safetensors",
        strength_model=0.8,
        strength_clip=0.5,
        model=["4", 0],
        clip=["4", 1],
    )
    graph["11"] = node(
        "LoraLoaderModelOnly", lora_name="b.safetensors", strength_model=-1, model=["10", 0]
    )
    graph["3"]["inputs"]["model"] = ["11", 0]
    graph["6"]["inputs"]["clip"] = ["10", 1]
    recipe = read(graph).recipe
    assert recipe.prompt == "a (fox:1.2) in snow <lora:sub/a:0.5:0.8> <lora:b:0:-1>"
    assert recipe.model == "v1-5.safetensors"
    assert "node" not in misses(graph)


def test_hires_fix_tells_the_first_pass():
    graph = default()
    graph["20"] = node("LatentUpscale", width=1024, height=1536, samples=["3", 0])
    second = {**graph["3"]["inputs"], "steps": 14, "denoise": 0.5, "latent_image": ["20", 0]}
    graph["21"] = node("KSampler", **second)
    graph["8"]["inputs"]["samples"] = ["21", 0]
    reading = read(graph)
    assert (reading.recipe.steps, reading.recipe.width) == (20, 512)
    assert any("2 passes" in miss for miss in reading.misses)
    assert "node LatentUpscale (#20)" in reading.misses


def test_sides_of_a_conditioning_are_kept_apart():
    graph = default()
    graph["30"] = node(
        "ControlNetApplyAdvanced",
        positive=["6", 0],
        negative=["7", 0],
        strength=1.0,
        control_net=["31", 0],
        image=["32", 0],
    )
    graph["31"] = node("ControlNetLoader", control_net_name="canny.safetensors")
    graph["32"] = node("LoadImage", image="x.png")
    graph["3"]["inputs"] |= {"positive": ["30", 0], "negative": ["30", 1]}
    reading = read(graph)
    assert (reading.recipe.prompt, reading.recipe.negative) == ("a (fox:1.2) in snow", "blurry")
    assert "node ControlNetApplyAdvanced (#30)" in reading.misses
    graph["7"] = node("ConditioningZeroOut", conditioning=["6", 0])
    assert read(graph).recipe.negative == ""


@pytest.mark.parametrize(
    ("key", "name", "value", "says"),
    [
        ("3", "sampler_name", "res_multistep", "sampler 'res_multistep': there is none"),
        ("3", "sampler_name", "dpmpp_2m_sde_gpu", "Brownian"),
        ("3", "sampler_name", "dpm_2", "last noise level but one"),
        ("3", "scheduler", "kl_optimal", "schedule 'kl_optimal': there is none"),
        ("3", "scheduler", "normal", "schedule 'normal': it visits parts"),
        ("3", "denoise", 0.6, "the picture that it began with (denoise 0.6)"),
        ("3", "seed", 2**64, "they go to"),
        ("3", "start_at_step", 5, "only steps 5 to"),
        ("3", "end_at_step", 10, "only steps None to 10"),
        ("3", "add_noise", "disable", "added no noise"),
        ("5", "batch_size", 4, "which of the 4 pictures"),
        ("6", "text", ["40", 0], "the text of CLIPTextEncode (#6)"),
        ("6", "text_g", "something else", "each text encoder has a text of its own"),
        ("6", "clip", ["41", 0], "node CLIPSetLastLayer (#41)"),
    ],
)
def test_what_cannot_be_matched_is_said(key: str, name: str, value: Any, says: str):
    graph = default()
    graph["40"] = node("Wildcards", mode="random")
    graph["41"] = node("CLIPSetLastLayer", stop_at_clip_layer=-2, clip=["4", 1])
    assert says not in misses(graph)
    graph[key]["inputs"][name] = value
    assert says in misses(graph)


def test_texts_through_other_nodes_and_several():
    graph = default()
    graph["40"] = node("PrimitiveString", value="a castle")
    graph["6"]["inputs"]["text"] = ["40", 0]
    assert read(graph).recipe.prompt == "a castle"
    graph["41"] = node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["7", 0])
    graph["3"]["inputs"]["positive"] = ["41", 0]
    assert read(graph).recipe.prompt == "a castle"
    assert "positive prompt: the first of 2" in misses(graph)


def test_a_picture_of_a_picture_has_its_own_size():
    graph = default()
    graph["5"] = node("VAEEncode", pixels=["50", 0], vae=["4", 2])
    graph["50"] = node("LoadImage", image="x.png")
    assert (read(graph).recipe.width, read(graph).recipe.height) == SIZE
    assert "node LoadImage (#50)" in misses(graph)


def test_sampler_nodes_of_others_are_read_as_far_as_they_tell():
    graph = default()
    graph["3"]["class_type"] = "KSampler (Efficient)"
    assert read(graph).recipe.steps == 20
    assert "node KSampler (Efficient) (#3)" in misses(graph)


def test_links_in_circles_end():
    graph = default()
    graph["3"]["inputs"] |= {
        "latent_image": ["3", 0],
        "positive": ["60", 0],
        "model": ["61", 0],
        "steps": ["62", 0],
    }
    graph["60"] = node("ConditioningCombine", conditioning_1=["60", 0], conditioning_2=["6", 0])
    graph["61"] = node("LoraLoader", model=["61", 0], lora_name="a", strength_model=1)
    graph["61"]["inputs"]["strength_clip"] = 1
    graph["62"] = node("Reroute", value=["62", 0])
    with pytest.raises(InputError, match="KSampler \\(#3\\) has steps 'None'"):
        read(graph)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"a":' * 100_000, "not JSON"),
        ("9" * 5000, "not JSON"),
        ("[]", "no nodes"),
        ("{}", "no nodes"),
        ('{"1": []}', "node '1' has no inputs"),
        ('{"1": {"inputs": {}}}', "no sampler"),
        (json.dumps({str(i): node("X") for i in range(10_001)}), "10,001 nodes"),
        (
            json.dumps(
                {str(i): node("X", **{f"{j}": ["0", j] for j in range(101)}) for i in range(1000)}
            ),
            "links",
        ),
        (json.dumps({"3": node("KSampler", steps=20)}), "KSampler (#3) has seed 'None'"),
        (json.dumps({"3": node("KSampler", steps=float("nan"))}), "has steps"),
        (json.dumps({"3": node("KSampler", steps=2.5)}), "has steps 2.5"),
        (json.dumps({"3": node("KSampler", steps=10**4000)}), "has steps"),
    ],
)
def test_bad_graphs_are_one_line(text: str, says: str):
    with pytest.raises(InputError) as caught:
        read_graph(text, SIZE)
    assert says in str(caught.value).replace("has cfg", "has seed")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@given(st.data())
def test_any_graph_is_read_or_refused(data: st.DataObject):
    """Values are exchanged for others and links led elsewhere."""
    graph = data.draw(st.sampled_from([default, flux]))()
    values = st.one_of(
        st.tuples(st.sampled_from([*graph]), st.integers(-2, 3)).map(list),
        st.sampled_from(
            ["", "a", "9" * 30, None, True, [], {}, [["3", 0], 1], "ſ", "１", "\ud800"]
        ),
        st.integers(),
        st.floats(),
    )
    for _ in range(data.draw(st.integers(1, 4))):
        inputs = graph[data.draw(st.sampled_from([*graph]))]["inputs"]
        inputs[data.draw(st.sampled_from([*inputs, "clip", "model", "guidance"]))] = data.draw(
            values
        )
    try:
        reading = read(graph)
    except InputError as error:
        message = str(error)
        assert "\n" not in message, message
    else:
        json.dumps(asdict(reading), ensure_ascii=False, allow_nan=False).encode()


def test_a_large_graph_is_soon_read():
    """Every node linked to its next and to the first, from a sampler to a sampler."""
    chain = {str(i): node("X", a=[str(i + 1), 0], b=["0", 0]) for i in range(9000)}
    for i in range(0, 9000, 3):
        chain[str(i)] = default()["3"]
        chain[str(i)]["inputs"] |= {"latent_image": [str(i + 1), 0], "positive": [str(i + 1), 1]}
        chain[str(i)]["inputs"]["model"] = [str(i + 2), 0]
    chain["9000"] = default()["5"]
    assert read(chain).recipe.steps == 20
