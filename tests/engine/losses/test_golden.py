"""Terms against the values of the programs that the papers were trained with."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.losses import LOSSES
from engine.losses.hfen import error, kernel
from engine.losses.kspace import absolute_of
from engine.losses.parts import similarity
from tests.engine.losses.given import golden, golden_input

pytestmark = pytest.mark.shared


@pytest.mark.parametrize(("name", "key"), [("l1_magnitude", "direct_l1_mean"), ("mse_magnitude", "fastmri_mse")])
def test_terms_of_magnitudes(shared, name, key):
    data, _, values = golden_input(shared)
    assert float(LOSSES.get(name).compute(data)) == pytest.approx(values[key], rel=1e-5)


def test_structural_similarity(shared):
    """The golden images have negative values, which magnitudes have not: the window itself is compared."""
    arrays, values = golden(shared)
    estimate, truth = (torch.from_numpy(arrays[name].astype(np.float64)) for name in ("prediction", "target"))
    whole = 1 - similarity(estimate, truth, truth.max())
    assert float(whole) == pytest.approx(values["direct_ssim_loss_batch_max_range"], rel=1e-5)
    assert float(whole) == pytest.approx(values["fastmri_ssim_loss_volume_max_range"], rel=1e-5)
    each = [1 - similarity(e, t, t.max()) for e, t in zip(estimate, truth, strict=True)]
    assert float(torch.stack(each).mean()) == pytest.approx(values["direct_ssim_loss_per_image_max_range"], rel=1e-5)


def test_structural_similarity_over_time(shared):
    arrays, values = golden(shared)
    estimate, truth = (torch.from_numpy(arrays[name].astype(np.float64)).repeat(2, 1, 1) for name in ("prediction", "target"))
    assert float(1 - similarity(estimate, truth, truth.max(), axes=3)) == pytest.approx(values["direct_ssim3d_loss"], rel=1e-5)


@pytest.mark.parametrize(("key", "squared", "normalised"), [
    ("direct_hfen_l1", False, False), ("direct_hfen_l1_norm", False, True),
    ("direct_hfen_l2", True, False), ("direct_hfen_l2_norm", True, True),
])  # fmt: skip
def test_high_frequency_error(shared, key, squared, normalised):
    arrays, values = golden(shared)
    estimate, truth = (torch.from_numpy(arrays[name].astype(np.float64)) for name in ("prediction", "target"))
    assert float(error(estimate, truth, squared, normalised)) == pytest.approx(values[key], rel=1e-5)


def test_the_kernel_is_theirs(shared):
    arrays, _ = golden(shared)
    assert np.allclose(kernel().numpy(), arrays["log_kernel"], atol=1e-6 * np.abs(arrays["log_kernel"]).max())


def test_normalised_error_of_kspace(shared):
    arrays, values = golden(shared)
    estimate, truth = (torch.from_numpy(arrays[f"kspace_{name}"].astype(np.complex128)) for name in ("prediction", "target"))
    assert float(absolute_of(estimate, truth)) == pytest.approx(values["direct_kspace_nmae"], rel=1e-5)
