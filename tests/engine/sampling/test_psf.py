"""Point-spread functions against a sum over samples."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import InputError
from engine.core.requests import MaskRequest
from engine.core.types import SamplingMask
from engine.sampling import MASKS, make_mask
from engine.sampling.psf import point_spread


@pytest.mark.parametrize("name", MASKS.names())
@pytest.mark.parametrize(("ky", "kx"), [(32, 24), (33, 25)])
def test_peak_is_one_in_the_centre(name, ky, kx):
    mask = make_mask(MaskRequest(name, 4, 6), 3, ky, kx)
    spread = point_spread(mask, 2)
    assert spread.dtype == np.float32
    assert spread.shape == (ky, 1 if mask.is_cartesian_1d else kx)
    centre = (ky // 2, spread.shape[1] // 2)
    assert np.unravel_index(spread.argmax(), spread.shape) == centre
    assert spread[centre] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("ky", "kx"), [(16, 12), (15, 11)])
def test_it_is_the_sum_over_measured_frequencies(ky, kx):
    mask = make_mask(MaskRequest("random2d", 4, 2, 5), 1, ky, kx)
    v, u = np.nonzero(mask.lines[0])
    y, x = np.arange(ky) - ky // 2, np.arange(kx) - kx // 2
    phase = y[:, None, None] * (v - ky // 2) / ky + x[None, :, None] * (u - kx // 2) / kx
    direct = np.abs(np.exp(2j * np.pi * phase).mean(axis=-1))
    assert np.abs(point_spread(mask) - direct).max() < 1e-6


def test_equispaced_lines_fold_into_r_equal_peaks():
    spread = point_spread(make_mask(MaskRequest("equispaced", 4, 0), 1, 32, 8))[:, 0]
    assert np.flatnonzero(spread > 0.5).tolist() == [0, 8, 16, 24]


def test_full_readout_given_as_a_plane_is_still_a_line():
    lines = np.repeat(make_mask(MaskRequest("random", 4, 4), 1, 32, 8).lines, 8, axis=2)
    assert point_spread(SamplingMask(lines, "file")).shape == (32, 1)


def test_missing_frame():
    mask = make_mask(MaskRequest("kt_uniform", 4, 0), 3, 32, 1)
    for frame in (3, -1):
        with pytest.raises(InputError, match=rf"the mask has no frame {frame} \(expected 0 to 2\)"):
            point_spread(mask, frame)
    # A static mask serves every frame.
    assert point_spread(make_mask(MaskRequest("equispaced", 4, 0), 3, 32, 1), 2).shape == (32, 1)


def test_frame_without_samples():
    lines = np.zeros((2, 8, 4), bool)
    lines[0, 0, 0] = True
    mask = SamplingMask(lines, "file")
    with pytest.raises(InputError, match="frame 1 of the mask measures nothing"):
        point_spread(mask, 1)
