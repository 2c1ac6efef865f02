"""The benchmark of masks compares like with like."""

from __future__ import annotations

import numpy as np
import pytest

from engine.bench import masks
from engine.core.jobs import silent
from engine.core.requests import MaskRequest
from engine.sampling import make_mask


def test_lines_of_the_table():
    results = list(masks.run(True, silent()))
    cases = {result.case.split(",")[0] for result in results}
    assert {"equispaced", "kt_radial", "poisson", "vista", "random2d"} <= cases
    for result in results:
        assert result.benchmark == "masks"
        assert result.ours_s > 0
        assert result.ratio == pytest.approx(result.other_s / result.ours_s)
        assert "effective R" in result.quality_ours
        assert "effective R" in result.quality_other


def test_riesz_energy_prefers_even_spacing():
    even = make_mask(MaskRequest("vista", 6), 10, 60, 1).lines[..., 0]
    crowded = np.zeros((10, 60), bool)
    crowded[:, :10] = True
    assert masks.riesz_energy(even) < 0.5 * masks.riesz_energy(crowded)
