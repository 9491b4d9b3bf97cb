"""A network tells what it predicts by what it makes of pure noise."""

from dataclasses import replace

import pytest
import torch

from mezzotint.diffusion import Process
from mezzotint.diffusion.prediction import from_x0
from mezzotint.families.files.predicts import predicts_v
from mezzotint.families.sizes.sd_presets import SD21_UNET
from mezzotint.models.unet import UNet


class Perfect(UNet):
    """The best network there can be if pictures are waves of every direction and length."""

    def __init__(self, prediction) -> None:
        narrow = replace(SD21_UNET, channels=(64, 64), depths=(0, 1), heads=(1, 1))
        super().__init__(replace(narrow, context_width=32))
        self.prediction, self.process = prediction, Process.scaled_linear()

    def forward(self, x, t, context, y=None, guidance=None, residuals=None):
        alpha, sigma = (f(t.double()).float() for f in (self.process.alpha, self.process.sigma))
        # Wiener's filter for a spectrum that falls with the square of the frequency
        rows, columns = torch.fft.fftfreq(x.shape[2]), torch.fft.fftfreq(x.shape[3])
        frequency = rows[:, None].square() + columns.square() + 1e-3
        power = frequency.reciprocal() / frequency.reciprocal().mean()
        gain = alpha * power / (alpha**2 * power + sigma**2)
        x0 = torch.fft.ifft2(torch.fft.fft2(x) * gain).real
        return from_x0(self.prediction, x0, x, alpha, sigma)


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_it_is_told(prediction: str):
    assert predicts_v(Perfect(prediction)) is (prediction == "v")


def test_only_a_unet_is_asked():
    with pytest.raises(TypeError):
        predicts_v(torch.nn.Linear(2, 2))
