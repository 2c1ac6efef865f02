"""Zero-filling against the transform written out."""

import pytest
import torch

from engine.core.errors import InputError
from engine.models.zero_filled import ZeroFilled, ZeroFilledConfig
from engine.physics.fourier import ifft2c
from tests.engine.models.classical import error, measured


@pytest.mark.parametrize("size", [(64, 48), (31, 45)])
def test_maps_combination_is_the_adjoint(size):
    data, _ = measured(height=size[0], width=size[1])
    expected = (ifft2c(data.kspace) * data.operator.maps.conj()).sum(-3)
    assert error(ZeroFilled(ZeroFilledConfig())(data), expected) < 1e-5


def test_rss_is_the_root_of_the_summed_squares():
    data, _ = measured(frames=3, height=31, width=45)
    image = ZeroFilled(ZeroFilledConfig(combine="rss"))(data)
    expected = ifft2c(data.kspace).abs().square().sum(-3).sqrt()
    assert image.dtype == torch.complex64
    assert error(image, expected) < 1e-5


def test_another_combination_is_refused():
    with pytest.raises(InputError, match="combine is 'sum'"):
        ZeroFilledConfig(combine="sum")
