"""Relaxation times at the tabulated fields and between."""

from __future__ import annotations

import pytest

from engine.core.errors import InputError
from engine.phantom.tissues import Structure, tissues


def test_table_values():
    low, high = tissues(1.5), tissues(3.0)
    assert (high[Structure.LV_MYOCARDIUM].t1_ms, high[Structure.LV_MYOCARDIUM].t2_ms) == pytest.approx((1400.0, 45.0))
    assert (low[Structure.LV_BLOOD].t1_ms, low[Structure.LV_BLOOD].t2_ms) == pytest.approx((1600.0, 250.0))
    assert set(low) == set(Structure) - {Structure.BACKGROUND}
    for tissue in (*low.values(), *high.values()):
        assert tissue.t1_ms > tissue.t2_ms > 0
        assert 0 < tissue.pd <= 1


def test_between_the_fields_times_lie_between():
    low, middle, high = tissues(1.5), tissues(2.1), tissues(3.0)
    for structure in low:
        for name in ("t1_ms", "t2_ms"):
            values = [getattr(t[structure], name) for t in (low, middle, high)]
            assert min(values[0], values[2]) <= values[1] <= max(values[0], values[2])
    assert middle[Structure.FAT].off_resonance_hz == pytest.approx(-3.4 * 42.577 * 2.1)


@pytest.mark.parametrize("field", [0.55, 1.49, 7.0])
def test_other_fields_are_refused(field):
    with pytest.raises(InputError, match=r"field strength cannot be used \(expected 1.5 to 3 T"):
        tissues(field)
