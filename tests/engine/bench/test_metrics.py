"""The benchmark of metrics compares equal values."""

from __future__ import annotations

import pytest

from engine.bench import metrics
from engine.core.jobs import silent


@pytest.mark.slow
def test_values_agree_with_every_alternative():
    results = list(metrics.run(True, silent()))
    assert {result.other for result in results} >= {
        "scikit-image structural_similarity",
        "our SciPy form (without numba)",
        "plain NumPy, 49 shifted images",
        "plain convolutions (scipy.signal)",
    }
    for result in results:
        assert float(result.difference) < 1e-6 * float(result.quality_ours)
        assert result.ratio == pytest.approx(result.other_s / result.ours_s)
