"""What we write in a config.json is read back as the sizes that it was written from."""

from dataclasses import replace

import pytest

from mezzotint.errors import InputError
from mezzotint.families.files.schedulers import scheduled, scheduler_config
from mezzotint.families.flux import FLUX_DEV, FLUX_SCHNELL
from mezzotint.families.sd3 import SD3
from mezzotint.families.sizes import (
    configs,
    flux_presets,
    sd3_presets,
    sd_presets,
)
from mezzotint.families.sizes.write_configs import autoencoder, clip_text, flux, mmdit, t5, unet
from mezzotint.families.stable_diffusion import SD1, SD2, SDXL, SDXL_REFINER

REFINER = replace(
    sd_presets.SDXL_UNET,
    channels=(384, 768, 1536, 1536),
    depths=(0, 4, 4, 0),
    mid_depth=4,
    heads=(6, 12, 24, 24),
    context_width=1280,
    y_width=2560,
)
UNETS = {
    "1.5": sd_presets.SD15_UNET,
    "inpainting": replace(sd_presets.SD15_UNET, channels_in=9),
    "lcm": replace(sd_presets.SD15_UNET, guided=True),
    "2.1": sd_presets.SD21_UNET,
    "xl": sd_presets.SDXL_UNET,
    "refiner": REFINER,
}


@pytest.mark.parametrize("name", UNETS)
def test_u_nets_come_back(name: str):
    assert configs.unet(unet(UNETS[name], SD1)) == UNETS[name]


def test_a_u_net_that_diffusers_has_no_words_for_is_refused():
    with pytest.raises(InputError, match="10 transformer blocks at the coarsest level and 2 in"):
        unet(replace(sd_presets.SDXL_UNET, mid_depth=2), SDXL)


@pytest.mark.parametrize("name", ["SD3_MEDIUM", "SD35_MEDIUM", "SD35_LARGE"])
def test_mmdits_come_back(name: str):
    params = getattr(sd3_presets, name)
    assert configs.mmdit(mmdit(params)) == params


@pytest.mark.parametrize("name", ["FLUX_DEV", "FLUX_SCHNELL", "FLUX_FILL"])
def test_fluxes_come_back(name: str):
    params = getattr(flux_presets, name)
    assert configs.flux(flux(params)) == params


@pytest.mark.parametrize("name", ["VIT_L_TEXT", "VIT_H_TEXT", "VIT_BIGG_TEXT"])
def test_text_encoders_come_back(name: str):
    params = getattr(sd_presets, name)
    config = clip_text(params)
    assert configs.clip_text(config, config["eos_token_id"], params.projection > 0) == params
    assert configs.t5(t5(sd3_presets.T5_XXL)) == sd3_presets.T5_XXL


@pytest.mark.parametrize(
    ("params", "family", "scale", "shift"),
    [
        (sd_presets.AUTOENCODER, SD1, 0.18215, None),
        (sd_presets.AUTOENCODER, SDXL, 0.13025, None),
        (sd3_presets.AUTOENCODER, SD3, 1.5305, 0.0609),
        (sd3_presets.AUTOENCODER, FLUX_DEV, 0.3611, 0.1159),
    ],
)
def test_autoencoders_come_back_with_the_published_scale(params, family, scale, shift):
    config = autoencoder(params, family)
    assert configs.autoencoder(config) == params
    assert (config["scaling_factor"], config["shift_factor"]) == (scale, shift)


@pytest.mark.parametrize("prediction", ["eps", "v"])
@pytest.mark.parametrize("family", [SD1, SD2, SDXL, SDXL_REFINER, SD3, FLUX_DEV, FLUX_SCHNELL])
def test_a_scheduler_s_config_says_what_the_family_does(family, prediction):
    if family.prediction != "flow":
        family = replace(family, prediction=prediction)
    again = scheduled(family, scheduler_config(family), "config")
    assert (again.prediction, again.spacing) == (family.prediction, family.spacing)
    assert again.process.name == family.process.name
    if family.shift is not None:
        assert again.shift is not None
        for side in (16, 64, 128):
            assert again.shift(side, side) == family.shift(side, side)
