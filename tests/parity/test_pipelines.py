"""Whole pipelines against diffusers' with the same noise: the same picture, whichever the family.

Noise is not handed over: both draw it from the seed, diffusers from a generator on the CPU.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import references
import torch
from diffusers import (
    AutoencoderTiny,
    ControlNetModel,
    DDIMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
    FluxPipeline,
    HeunDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionControlNetPipeline,
    UniPCMultistepScheduler,
)
from oracles import psnr, randomised
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

import mezzotint as mz
from mezzotint.diffusion import SPACINGS
from mezzotint.families.files import single_file
from mezzotint.families.keys import ip_adapter_keys
from mezzotint.families.keys.original import places
from mezzotint.models.ip_adapter import IPAdapter, IPAdapterParams, cross_attentions
from mezzotint.pipeline.pipeline import Pipeline

PROMPT, NEGATIVE, STEPS = "the fox in snow, at the inn", "snow", 10
PSNR = 70.0


@pytest.fixture(scope="session")
def saved(tmp_path_factory) -> Callable[[str], tuple[DiffusionPipeline, Pipeline]]:
    """diffusers' pipeline of a family, and ours of the folder that it saves."""
    made: dict[str, tuple[DiffusionPipeline, Path]] = {}

    def get(family: str) -> tuple[DiffusionPipeline, Pipeline]:
        if family not in made:
            folder = tmp_path_factory.mktemp(family)
            theirs = references.pipeline(family, folder / "words")
            theirs.save_pretrained(folder / "model")
            made[family] = theirs, folder / "model"
        theirs, path = made[family]
        return theirs, mz.load(path)

    return get


def draw(pipe: DiffusionPipeline, **options) -> np.ndarray:
    """Their picture, (h, w, 3) in [0, 1]."""
    generator = torch.Generator().manual_seed(7)
    return pipe(
        PROMPT, num_inference_steps=STEPS, generator=generator, output_type="np", **options
    ).images[0]


def ours(pipe: Pipeline, **options) -> np.ndarray:
    """Our picture before it is rounded to bytes."""
    out = pipe.generate(PROMPT, steps=STEPS, seed=7, **options)
    image = pipe.model.decode_latents(out.latents)[0]
    return ((image + 1) / 2).permute(1, 2, 0).numpy()


SIZE = {"height": 64, "width": 96}
# what diffusers must be told for a checkpoint, as its documentation says
ASKED = {"flux-schnell": {"max_sequence_length": 256, "guidance_scale": 0.0}}

DIFFUSION = {
    "pndm": (PNDMScheduler, {"skip_prk_steps": True}, "leading"),
    "ddim": (DDIMScheduler, {"clip_sample": False}, "trailing"),
    "euler": (EulerDiscreteScheduler, {}, "leading"),
    "heun": (HeunDiscreteScheduler, {}, "leading"),
    "dpmpp_2m": (DPMSolverMultistepScheduler, {"final_sigmas_type": "zero"}, "trailing"),
    "unipc": (UniPCMultistepScheduler, {"final_sigmas_type": "zero"}, "trailing"),
}
FLOW = {
    "heun": (FlowMatchHeunDiscreteScheduler, {}),
    "dpmpp_2m": (DPMSolverMultistepScheduler, {"final_sigmas_type": "zero"}),
    "unipc": (UniPCMultistepScheduler, {"final_sigmas_type": "zero"}),
    # the first order of DPM-Solver++ is DDIM
    "ddim": (DPMSolverMultistepScheduler, {"final_sigmas_type": "zero", "solver_order": 1}),
}


@pytest.mark.parametrize("family", references.FAMILIES)
def test_defaults_draw_the_same_picture(saved, family: str):
    pipe, mine = saved(family)
    theirs = draw(pipe, **SIZE, **ASKED.get(family, {}))
    assert psnr(theirs, ours(mine, **SIZE)) >= PSNR


@pytest.mark.parametrize("sampler", DIFFUSION)
@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_other_samplers_draw_the_same_picture(saved, family: str, sampler: str):
    pipe, mine = saved(family)
    if (family, sampler) == ("sd2", "pndm"):
        pytest.skip("diffusers averages v at different noise levels, which is not PNDM")
    kind, config, spacing = DIFFUSION[sampler]
    before = pipe.scheduler
    told = {"timestep_spacing": spacing, "set_alpha_to_one": False, **config}
    pipe.scheduler = kind.from_config(before.config, **told)
    theirs = draw(pipe, **SIZE, guidance_scale=3.0, negative_prompt=NEGATIVE)
    pipe.scheduler = before
    options = {"cfg": 3.0, "negative": NEGATIVE, "sampler": sampler, "spacing": spacing}
    assert psnr(theirs, ours(mine, **SIZE, **options)) >= PSNR


@pytest.mark.parametrize("sampler", FLOW)
@pytest.mark.parametrize("family", ["sd3", "sd35", "flux-dev", "flux-schnell"])
def test_flow_families_with_other_samplers(saved, monkeypatch, family: str, sampler: str):
    """On one grid: diffusers' solvers tell the network whole timesteps, and step between others."""
    pipe, mine = saved(family)
    kind, config = FLOW[sampler]
    told = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, **config}
    scheduler = kind(**(told if "final_sigmas_type" in config else config))
    grid = on_one_grid(scheduler)
    monkeypatch.setitem(SPACINGS, "theirs", lambda process, n: grid)
    monkeypatch.setattr(pipe, "scheduler", scheduler)
    noise = torch.randn(1, 16, 8, 12, generator=torch.Generator().manual_seed(7))
    latents = torch.hypot(1 - grid[0], grid[0]).float() * noise
    if family.startswith("flux"):
        latents = FluxPipeline._pack_latents(latents, 1, 16, 8, 12)
    theirs = draw(pipe, **SIZE, **ASKED.get(family, {}), latents=latents)
    mine = ours(mine, **SIZE, sampler=sampler, spacing="theirs")
    assert psnr(theirs, mine) >= PSNR


def on_one_grid(scheduler) -> torch.Tensor:
    """Let a scheduler step between the levels of which it tells the network, and return them."""
    make = scheduler.set_timesteps

    def set_timesteps(num_inference_steps=None, device=None, sigmas=None, mu=None):
        make(STEPS)
        if len(scheduler.timesteps) == STEPS:
            levels = scheduler.timesteps / scheduler.config.num_train_timesteps
            scheduler.sigmas = torch.cat([levels, torch.zeros(1)])

    scheduler.set_timesteps = set_timesteps
    set_timesteps()
    return scheduler.sigmas.double().unique().flip(0)[:-1]


@pytest.mark.parametrize(
    ("family", "change"),
    [
        ("sd1", {"cfg": 7.4}),
        ("sd1", {"negative": NEGATIVE}),
        ("sd1", {"sampler": "ipndm"}),
        ("sd2", {"spacing": "trailing"}),
        ("sdxl", {"dialect": "a1111"}),  # whose empty negative prompt is not zeros
        ("sd3", {"spacing": "flow_shift"}),
        ("flux-dev", {"guidance": 3.4}),
    ],
)
def test_a_small_difference_shows(saved, family: str, change):
    pipe, mine = saved(family)
    assert psnr(draw(pipe, **SIZE), ours(mine, **SIZE, **change)) < PSNR


@pytest.mark.parametrize("family", references.FAMILIES)
def test_a_single_file_draws_what_the_folder_draws(saved, tmp_path, monkeypatch, family: str):
    """The same networks under the names of the original release, and nothing beside them."""
    _, mine = saved(family)
    model, folder = mine.model, Path(mine.source)
    modules, file = model.modules, tmp_path / "checkpoint.safetensors"
    tensors = {}
    params = {name: module.params for name, module in modules.items()}
    for name, place in places(model.family.release, params).items():
        tensors |= place.file(modules[name].state_dict())
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, file)
    words = {
        "CLIP": folder / "tokenizer",
        "T5": folder / ("tokenizer_3" if "sd3" in family else "tokenizer_2"),
    }
    asked: list[Path] = []
    monkeypatch.setattr(
        single_file, "find_vocabulary", lambda kind, places: asked.extend(places) or words[kind]
    )
    again = mz.load(file, words["CLIP"])
    assert asked[:2] == [words["CLIP"], tmp_path]
    assert again.model.family.name == model.family.name
    # no file tells the sampler, and 2.x does not tell what it predicts
    told = {"sampler": "euler", "spacing": "trailing"}
    family_ = replace(again.model.family, prediction=model.family.prediction)
    again = replace(again, model=replace(again.model, family=family_))
    # some processors round sums by where a weight begins: in memory all begin alike
    for module in (*modules.values(), *again.model.modules.values()):
        for weight in module.parameters():
            weight.data = weight.data.clone()
    assert np.array_equal(ours(again, **SIZE, **told), ours(mine, **SIZE, **told))


def test_a_lora_draws_the_same_picture(saved, tmp_path):
    pipe, mine = saved("sd1")
    before, file = ours(mine, **SIZE), tmp_path / "style.safetensors"
    generator = torch.Generator().manual_seed(1)
    tensors = {}
    for part, network in (("unet", pipe.unet), ("text_encoder", pipe.text_encoder)):
        for name, layer in network.named_modules():
            if name.endswith(("to_q", "to_v", "q_proj", "out_proj")):
                down, up = (4, layer.in_features), (layer.out_features, 4)
                for end, shape in (("lora_A", down), ("lora_B", up)):
                    key = f"{part}.{name}.{end}.weight"
                    tensors[key] = 0.1 * torch.randn(shape, generator=generator)
    save_file(tensors, file)
    pipe.load_lora_weights(file)
    theirs = draw(pipe, **SIZE, cross_attention_kwargs={"scale": 0.7})
    pipe.unload_lora_weights()
    assert psnr(theirs, before) < 40
    with mine.attached(mz.lora(file, scale=0.7)):
        assert psnr(theirs, ours(mine, **SIZE)) >= PSNR
    with mine.attached(mz.lora(file, scale=0.6)):
        assert psnr(theirs, ours(mine, **SIZE)) < PSNR
    assert np.array_equal(ours(mine, **SIZE), before)


def test_what_a_prompt_names_is_attached(saved, tmp_path, monkeypatch):
    """A LoRA and an embedding of a folder laid out as ComfyUI's, asked for in words."""
    _, mine = saved("sd1")
    (tmp_path / "loras").mkdir()
    (tmp_path / "embeddings").mkdir()
    to_q = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    down, up = torch.randn(2, 64), torch.randn(64, 2)
    tensors = {f"{to_q}.lora_down.weight": down, f"{to_q}.lora_up.weight": up}
    save_file(tensors, tmp_path / "loras" / "style.safetensors")
    save_file({"emb_params": torch.randn(2, 768)}, tmp_path / "embeddings" / "mark.safetensors")
    before = ours(mine, **SIZE)
    with pytest.raises(mz.InputError, match="style"):
        mine.generate("a fox <lora:style:0.8>")
    monkeypatch.setenv("MEZZOTINT_MODELS", str(tmp_path))

    def drawn(prompt: str, *adapters) -> torch.Tensor:
        with mine.attached(*adapters):
            return mine.generate(prompt, steps=2, seed=7, height=64, width=64).latents

    style = mz.lora(tmp_path / "loras" / "style.safetensors", scale=0.8)
    mark = mz.embedding(tmp_path / "embeddings" / "mark.safetensors")
    assert torch.equal(drawn("a mark fox <lora:style:0.8>"), drawn("a mark fox", style, mark))
    assert not torch.equal(drawn("a mark fox"), drawn("a mark fox", style))
    monkeypatch.delenv("MEZZOTINT_MODELS")
    assert not torch.equal(drawn("a mark fox"), drawn("a mark fox", mark))
    assert np.array_equal(ours(mine, **SIZE), before)


def test_an_embedding_draws_the_same_picture(saved, tmp_path):
    pipe, mine = saved("sd2")
    file = tmp_path / "mark.safetensors"
    save_file({"<mark>": torch.randn(2, 832)}, file)
    pipe.load_textual_inversion(file, token="<mark>")
    generator = torch.Generator().manual_seed(7)
    told = {"generator": generator, "output_type": "np", "num_inference_steps": 3}
    theirs = pipe("in snow <mark> at the inn", **told, **SIZE).images[0]
    pipe.unload_textual_inversion()
    with mine.attached(mz.embedding(file)):
        latents = mine.generate("in snow mark at the inn", steps=3, seed=7, **SIZE).latents
    image = mine.model.decode_latents(latents)[0]
    assert psnr(theirs, ((image + 1) / 2).permute(1, 2, 0).numpy()) >= PSNR


@pytest.mark.parametrize(("channels", "says"), [(9, "inpainting"), (8, "instruction")])
def test_networks_that_need_a_picture_load_and_say_so(tmp_path, channels: int, says: str):
    pipe = references.pipeline("sd1", tmp_path / "words", in_channels=channels, out_channels=4)
    pipe.save_pretrained(tmp_path / "model")
    mine = mz.load(tmp_path / "model")
    x, t, context = torch.randn(1, channels, 8, 8), torch.tensor([500.0]), torch.randn(1, 77, 768)
    with torch.no_grad():
        theirs = pipe.unet(x, t, context).sample
        torch.testing.assert_close(mine.model.network(x, t, context), theirs, rtol=1e-4, atol=1e-5)
    with pytest.raises(mz.InputError, match=says):
        mine.generate(PROMPT)


def test_an_earlier_layer_of_clip_is_read(saved, monkeypatch):
    pipe, mine = saved("sd1")
    # where transformers before version 5 had it, and diffusers looks for it
    monkeypatch.setitem(vars(pipe.text_encoder), "text_model", pipe.text_encoder)
    # diffusers counts what is left out, and leaves nothing out of the negative prompt
    theirs = draw(pipe, **SIZE, clip_skip=1, guidance_scale=1.0)
    assert psnr(theirs, ours(mine, **SIZE, clip_skip=2, cfg=1)) >= PSNR
    assert psnr(theirs, ours(mine, **SIZE, clip_skip=1, cfg=1)) < PSNR
    with pytest.raises(mz.InputError, match="sdxl reads one layer only"):
        saved("sdxl")[1].generate(PROMPT, clip_skip=1)


def test_a_controlnet_draws_the_same_picture(saved, tmp_path):
    pipe, mine = saved("sd2")
    edges = Image.fromarray(np.random.default_rng(0).integers(0, 256, (72, 108, 3), np.uint8))
    net = randomised(ControlNetModel.from_unet(pipe.unet))
    net.save_pretrained(tmp_path / "net")
    steered = StableDiffusionControlNetPipeline(
        **pipe.components, controlnet=net, requires_safety_checker=False
    )
    steered.set_progress_bar_config(disable=True)
    told = {"controlnet_conditioning_scale": 0.7, "control_guidance_end": 0.5}
    theirs = draw(steered, image=edges, **told, **SIZE)
    assert psnr(theirs, ours(mine, **SIZE)) < 40
    with mine.attached(mz.controlnet(tmp_path / "net", edges, scale=0.7, end=0.5)):
        assert psnr(theirs, ours(mine, **SIZE)) >= PSNR
    with mine.attached(mz.controlnet(tmp_path / "net", edges, scale=0.7, end=0.6)):
        assert psnr(theirs, ours(mine, **SIZE)) < PSNR


def test_an_ip_adapter_is_shown_to_the_prompt_alone(saved, tmp_path):
    pipe, mine = saved("sd1")
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8))
    torch.manual_seed(3)
    eye = randomised(CLIPVisionModelWithProjection(EYE))
    eye.save_pretrained(tmp_path / "image_encoder")
    widths = tuple(each.query.out_features for each in cross_attentions(mine.model.network))
    adapter = randomised(IPAdapter(IPAdapterParams(EYE.projection_dim, 4, 768, widths, None)))
    tensors = ip_adapter_keys.ip_adapter(len(widths)).to_theirs(adapter.state_dict())
    file = tmp_path / "ip.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
    pipe.register_modules(
        image_encoder=eye,
        feature_extractor=CLIPImageProcessorPil(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        ),
    )
    pipe.load_ip_adapter(tmp_path, subfolder="", weight_name=file.name, image_encoder_folder=None)
    pipe.set_ip_adapter_scale(0.6)
    theirs = draw(pipe, ip_adapter_image=picture, **SIZE)
    pipe.unload_ip_adapter()
    with mine.attached(mz.ip_adapter(file, picture, scale=0.6)):
        assert psnr(theirs, ours(mine, **SIZE)) >= PSNR
    assert psnr(theirs, ours(mine, **SIZE)) < 40


EYE = CLIPVisionConfig(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=48,
    image_size=32,
    patch_size=8,
    projection_dim=20,
    hidden_act="gelu",
)


@pytest.mark.parametrize(
    ("family", "asked", "told"),
    [
        ("sdxl", {"prompt_2": "the inn"}, {"text_2": "the inn"}),
        ("sd3", {"prompt_2": "fox", "prompt_3": "the inn"}, {"text_2": "fox", "text_3": "the inn"}),
        ("flux-dev", {"prompt_2": "the inn"}, {"text_2": "the inn"}),
    ],
)
def test_each_encoder_may_read_a_prompt_of_its_own(saved, family: str, asked, told):
    pipe, mine = saved(family)
    theirs = draw(pipe, **SIZE, **asked)
    assert psnr(theirs, ours(mine, **SIZE, prompts=told)) >= PSNR
    assert psnr(theirs, ours(mine, **SIZE)) < PSNR
    with pytest.raises(mz.InputError, match=r"unknown text encoder of .*text_4"):
        mine.generate(PROMPT, prompts={"text_4": "a fox"})


@pytest.mark.parametrize("sampler", ["euler", "heun"])
def test_diffusers_first_noise_is_weaker_but_for_leading(saved, sampler: str):
    pipe, mine = saved("sdxl")
    kind, _, _ = DIFFUSION[sampler]
    before = pipe.scheduler
    pipe.scheduler = kind.from_config(before.config, timestep_spacing="trailing")
    theirs = draw(pipe, **SIZE)
    pipe.scheduler = before
    told = {"sampler": sampler, "spacing": "trailing"}
    assert psnr(theirs, ours(mine, **SIZE, **told, noise="diffusers")) >= PSNR
    assert psnr(theirs, ours(mine, **SIZE, **told)) < PSNR


@pytest.mark.parametrize("family", ["sd1", "flux-dev"])
def test_a_tiny_autoencoder_decodes_instead(saved, tmp_path, monkeypatch, family: str):
    pipe, mine = saved(family)
    channels = mine.model.latent_channels
    torch.manual_seed(0)
    tiny = randomised(AutoencoderTiny(latent_channels=channels))
    monkeypatch.setattr(pipe, "vae", tiny)
    pipe.save_pretrained(tmp_path / "model")
    theirs = draw(pipe, **SIZE)
    assert psnr(theirs, ours(mine, **SIZE)) < 40
    quick = mz.load(tmp_path / "model")
    assert psnr(theirs, ours(quick, **SIZE)) >= PSNR
    image = 2 * torch.rand(1, 3, 64, 96) - 1
    with torch.no_grad():
        latents = tiny.encode(image).latents
        torch.testing.assert_close(quick.model.encode_images(image), latents, rtol=1e-4, atol=1e-5)
