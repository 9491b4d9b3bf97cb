"""IP-Adapters out of files, put into a U-Net and taken out again."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import randomised, relative_error
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from unets import SMALL

import mezzotint as mz
from mezzotint.adapters.base import Adapter, attached
from mezzotint.adapters.image_attention import join
from mezzotint.adapters.image_encoder import image_encoder
from mezzotint.adapters.ip_adapter import ImagePrompt, ip_adapter, read
from mezzotint.adapters.lora import LoRAFile
from mezzotint.adapters.negatives import negative_rows
from mezzotint.errors import InputError
from mezzotint.families.base import Part
from mezzotint.families.keys.ip_adapter_keys import IMAGE_WORDS
from mezzotint.families.keys.ip_adapter_keys import ip_adapter as keys_of
from mezzotint.families.keys.sd_keys import CLIP_VISION, UNET_POINTWISE
from mezzotint.families.sizes.sizes_by_shape import Shapes, clip_vision
from mezzotint.models.clip import CLIPVision, CLIPVisionParams, TowerParams
from mezzotint.models.image_words import ImageWords, ImageWordsParams
from mezzotint.models.ip_adapter import IPAdapter, IPAdapterParams, ResamplerParams
from mezzotint.models.unet import UNet
from mezzotint.nn.attention import Attention

SD15 = replace(SMALL["sd15"], channels=(32, 32), depths=(0, 1), heads=(8, 8))
WIDTHS = (32,) * 6  # two down, three up, one in the middle
PLAIN = IPAdapterParams(20, 4, 24, WIDTHS, None)
PLUS = IPAdapterParams(32, 6, 24, WIDTHS, ResamplerParams(64, 2, 1, 128))
WORDS = ImageWordsParams(20, 16, 6, 24, 6)
TOWER = CLIPVisionParams(TowerParams(32, 2, 16, 48, "quick_gelu"), size=32, patch=8, projection=20)
NAMES = ["plain", "plus", "words"]
NUMBERS = np.random.default_rng(0).integers(0, 256, (2, 40, 57, 3), np.uint8)
PICTURE, OTHER = map(Image.fromarray, NUMBERS)


def parts() -> dict[str, Part]:
    torch.manual_seed(5)
    return {"network": Part(randomised(UNet(SD15)), (UNET_POINTWISE,))}


def drawn(
    parts: dict[str, Part], adapters: Sequence[Adapter] = (), negative: Sequence[bool] = ()
) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    x, context = (torch.randn(s, generator=generator) for s in ((1, 4, 6, 8), (1, 5, 24)))
    network = parts["network"].module
    with torch.no_grad(), attached(parts, adapters):
        if negative:
            negative_rows(network, negative)
        t = torch.tensor([20.0, 20.0])
        return network(x.expand(2, -1, -1, -1), t, context.expand(2, -1, -1))


def tensors(params: IPAdapterParams | ImageWordsParams, seed: int = 3) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    if isinstance(params, ImageWordsParams):
        return IMAGE_WORDS.to_theirs(randomised(ImageWords(params)).state_dict())
    return keys_of(len(params.widths)).to_theirs(randomised(IPAdapter(params)).state_dict())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As published: adapters' files, and the encoder's folder beside them."""
    torch.manual_seed(4)
    (tmp_path / "image_encoder").mkdir()
    encoder = CLIP_VISION.to_theirs(randomised(CLIPVision(TOWER)).state_dict())
    save_file(encoder, tmp_path / "image_encoder" / "model.safetensors")
    for name, params in {"plain": PLAIN, "plus": PLUS, "words": WORDS}.items():
        saved = {k: v.contiguous() for k, v in tensors(params).items()}
        save_file(saved, tmp_path / f"{name}.safetensors")
    return tmp_path


def lora() -> LoRAFile:
    stem = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_"
    generator = torch.Generator().manual_seed(6)
    layers = {
        f"{stem}{layer}.lora_{side}.weight": torch.randn(shape, generator=generator)
        for layer in ("q", "out_0")
        for side, shape in (("down", (2, 32)), ("up", (32, 2)))
    }
    return LoRAFile("lora", layers)


@pytest.mark.parametrize("name", ["plain", "plus"])
def test_a_pickle_with_its_tables_is_the_same(name: str, folder: Path) -> None:
    tables: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for key, tensor in tensors(PLAIN if name == "plain" else PLUS).items():
        table, _, rest = key.partition(".")
        tables[table][rest] = tensor
    torch.save(tables, folder / "pickled.bin")
    pickled, safe = (
        drawn(parts(), [ip_adapter(folder / file, PICTURE)])
        for file in ("pickled.bin", f"{name}.safetensors")
    )
    assert torch.equal(pickled, safe)


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_and_its_scale_matter(name: str, folder: Path) -> None:
    file = folder / f"{name}.safetensors"
    plain, full = drawn(parts()), drawn(parts(), [ip_adapter(file, PICTURE)])
    assert relative_error(full, plain) > 1e-3
    assert relative_error(drawn(parts(), [ip_adapter(file, OTHER)]), full) > 1e-4
    assert torch.equal(drawn(parts(), [ip_adapter(file, PICTURE, 0.0)]), plain)
    halves = [ip_adapter(file, PICTURE, 0.5), ip_adapter(file, PICTURE, 0.5)]
    assert relative_error(drawn(parts(), halves), full) < 1e-5


def test_negative_rows_do_not_see_it(folder: Path) -> None:
    prompt = ip_adapter(folder / "plain.safetensors", PICTURE)
    other = ip_adapter(folder / "plain.safetensors", OTHER)
    both = drawn(parts(), [prompt])
    mixed, others = (drawn(parts(), [each], [True, False]) for each in (prompt, other))
    assert torch.equal(mixed[1], both[1])
    assert torch.equal(mixed[0], others[0])
    assert relative_error(mixed[0], both[0]) > 1e-4
    words = ip_adapter(folder / "words.safetensors", PICTURE)
    mixed = drawn(parts(), [words], [True, False])
    assert torch.equal(mixed[0], drawn(parts())[0])
    assert torch.equal(mixed[1], drawn(parts(), [words])[1])
    with pytest.raises(ValueError, match="told of 1 rows, and 2 came"):
        drawn(parts(), [prompt], [True])


def test_gone_after_eject_whatever_the_order(folder: Path) -> None:
    own = parts()
    before = drawn(own)
    weights = {k: v.clone() for k, v in own["network"].module.state_dict().items()}
    adapters = [
        ip_adapter(folder / "plain.safetensors", PICTURE),
        lora(),
        ip_adapter(folder / "plus.safetensors", OTHER),
        ip_adapter(folder / "words.safetensors", OTHER),
    ]
    injected = [adapter.inject(own) for adapter in adapters]
    for each in injected:
        assert not torch.equal(drawn(own), before)
        each.eject()
        each.eject()
    assert torch.equal(drawn(own), before)
    after = own["network"].module.state_dict()
    assert all(torch.equal(after[k], weights[k]) for k in weights)


@pytest.mark.parametrize("name", ["plain", "words"])
def test_a_lora_is_in_it_whenever_it_comes(name: str, folder: Path) -> None:
    prompt = ip_adapter(folder / f"{name}.safetensors", PICTURE)
    first, last = drawn(parts(), [lora(), prompt]), drawn(parts(), [prompt, lora()])
    assert torch.equal(first, last)
    fused = drawn(parts(), [prompt, replace(lora(), fused=True)])
    assert relative_error(last, fused) < 1e-5
    assert relative_error(last, drawn(parts(), [prompt])) > 1e-3


def test_words_join_the_prompts_in_one_softmax() -> None:
    torch.manual_seed(0)
    attention = Attention(16, 24, heads=2, bias=False).double()
    x, context, image = (torch.randn(2, n, d).double() for n, d in ((9, 16), (5, 24), (3, 24)))

    def given(told: Tensor) -> Tensor:
        return attention(x, attention.keys_values(told))

    alone, joint = given(context), given(torch.cat([context, image], dim=1))
    for share in (0.0, 0.3, 1.0):
        eject = join(
            [attention], image, torch.tensor([share], dtype=torch.float64), lambda n: [True] * n
        )
        found = given(context)
        eject()
        assert relative_error(found, alone + share * (joint - alone)) < 1e-12
    assert relative_error(joint, alone) > 1e-2
    assert torch.equal(given(context), alone)


def test_sizes_of_words_are_told_by_their_shapes(folder: Path) -> None:
    assert read(folder / "words.safetensors").params == WORDS


@pytest.mark.parametrize(
    ("width", "layers", "hidden", "activation", "patch", "projection"),
    [
        (1024, 24, 4096, "quick_gelu", 14, 768),  # OpenAI's ViT-L
        (1280, 32, 5120, "gelu", 14, 1024),  # OpenCLIP's ViT-H
        (1664, 48, 8192, "gelu", 14, 1280),  # OpenCLIP's ViT-bigG
    ],
)
def test_sizes_of_published_encoders(
    width: int, layers: int, hidden: int, activation, patch: int, projection: int
) -> None:
    tower = TowerParams(width, layers, 16, hidden, activation)
    params = CLIPVisionParams(tower, size=224, patch=patch, projection=projection)
    with torch.device("meta"):
        theirs = CLIP_VISION.to_theirs(CLIPVision(params).state_dict())
    shapes = {name: tuple(tensor.shape) for name, tensor in theirs.items()}
    assert clip_vision(Shapes(CLIP_VISION.shapes(shapes), "file")) == params


def test_the_towers_config_counts_more_than_its_shapes(folder: Path) -> None:
    config = folder / "image_encoder" / "config.json"
    assert image_encoder(config.parent).params == TOWER
    config.write_text(
        '{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 32, '
        '"intermediate_size": 48, "hidden_act": "gelu", "patch_size": 8, "projection_dim": 20}'
    )
    told = TowerParams(32, 2, 4, 48, "gelu")
    assert image_encoder(config.parent).params == replace(TOWER, tower=told)
    config.write_text('{"hidden_size": 32}')
    with pytest.raises(InputError, match="lacks 'num_hidden_layers'"):
        image_encoder(config.parent)


def test_what_does_not_fit_is_said_in_a_line(folder: Path) -> None:
    file = folder / "plain.safetensors"
    prompt = ip_adapter(file, PICTURE)
    with pytest.raises(InputError, match=r"is made for .*24, and this model is .*Diffusion XL$"):
        prompt.inject({"network": Part(UNet(replace(SD15, context_width=2048)), ())})
    with pytest.raises(InputError, match="with 6 cross-attentions, and this U-Net has 11"):
        prompt.inject({"network": Part(UNet(replace(SD15, depths=(1, 1))), ())})
    words = ip_adapter(folder / "words.safetensors", PICTURE)
    with pytest.raises(InputError, match="with 6 cross-attentions, and this U-Net has 11"):
        words.inject({"network": Part(UNet(replace(SD15, depths=(1, 1))), ())})
    with pytest.raises(InputError, match="scale inf is no number"):
        ip_adapter(file, PICTURE, float("inf"))
    with pytest.raises(InputError, match=r"there is none at .*elsewhere, name one"):
        ip_adapter(file, PICTURE, encoder=folder / "elsewhere")
    with pytest.raises(InputError, match="is no image encoder"):
        ip_adapter(file, PICTURE, encoder=file)
    with pytest.raises(InputError, match="encoder of width 20, and the one given has 24"):
        ip_adapter(file, PICTURE, encoder=CLIPVision(replace(TOWER, projection=24)))
    save_file({"image_proj.proj.0.weight": torch.zeros(2, 2)}, folder / "faceid.safetensors")
    with pytest.raises(InputError, match="is no IP-Adapter, plain or plus"):
        ip_adapter(folder / "faceid.safetensors", PICTURE)
    more = tensors(PLAIN) | {"ip_adapter.0.to_q_lora.down.weight": torch.zeros(2, 2)}
    save_file(more, folder / "more.safetensors")
    with pytest.raises(InputError, match=r"1 unexpected: ip_adapter\.0\.to_q_lora"):
        ip_adapter(folder / "more.safetensors", PICTURE)


def test_an_encoder_may_be_shared(folder: Path) -> None:
    tower = image_encoder(folder / "image_encoder")
    shared = ip_adapter(folder / "plain.safetensors", PICTURE, encoder=tower)
    assert isinstance(shared, ImagePrompt)
    own = ip_adapter(folder / "plain.safetensors", PICTURE)
    assert torch.equal(drawn(parts(), [shared]), drawn(parts(), [own]))


def test_its_contents_are_its_weights_and_the_picture(folder: Path) -> None:
    worn = [("plain", PICTURE), ("plain", PICTURE), ("plain", OTHER), ("plus", PICTURE)]
    found = []
    for name, picture in worn:
        injected = ip_adapter(folder / f"{name}.safetensors", picture).inject(parts())
        injected.eject()
        found.append(injected.contents())
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_the_packages_own_takes_over_a_style():
    """Neon art is dark, whatever it shows; a picture in the style that all have changes little."""
    pipe = mz.load(engine="eager")
    few = {"steps": 6, "seed": 3}
    neon, usual = (
        pipe.generate(f"a tree in a village{said}", **few).images[0] for said in (", neon art", "")
    )

    def light(*adapters: Adapter) -> float:
        with pipe.attached(*adapters):
            drawn = pipe.generate("a cow on a farm", **few).images[0]
        return float(np.asarray(drawn.convert("L")).mean())

    alone, as_usual, as_neon = (
        light(*(ip_adapter("style", one) for one in shown)) for shown in ((), (usual,), (neon,))
    )
    assert as_neon < 0.5 * alone
    assert as_usual > 0.7 * alone
