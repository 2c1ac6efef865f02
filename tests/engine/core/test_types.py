"""Records check themselves and cannot be changed."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import InputError, ShapeError
from engine.core.types import ArrayReader, ImageSeries, Kind, KSpaceSeries, ParameterMap, Reconstruction, SamplingMask


def small_series(rng, **fields):
    data = rng.standard_normal((2, 3, 4, 5, 6)) + 1j * rng.standard_normal((2, 3, 4, 5, 6))
    return KSpaceSeries(reader=ArrayReader(data), **fields)


def test_effective_acceleration_counts_acs():
    lines = np.zeros((1, 24, 1), dtype=bool)
    lines[:, ::4] = True
    lines[:, 8:16] = True
    mask = SamplingMask(lines, "equispaced", nominal_acceleration=4, acs=(8, 16))
    assert mask.effective_acceleration == pytest.approx(24 / 12)
    assert mask.is_static
    assert mask.is_cartesian_1d


def test_mask_that_varies_along_the_readout_is_not_1d():
    lines = np.ones((2, 4, 6), dtype=bool)
    lines[1, 0, 0] = False
    mask = SamplingMask(lines, "radial2d")
    assert not mask.is_cartesian_1d
    assert not mask.is_static


def test_mask_of_another_size_is_refused():
    mask = SamplingMask(np.ones((1, 8, 1), dtype=bool), "full")
    with pytest.raises(ShapeError, match=r"expected frame 3 or 1, ky 5.*found frame 1, ky 8, kx 1\)"):
        mask.check_fits((2, 3, 4, 5, 6))


def test_empty_mask_is_refused():
    with pytest.raises(InputError, match="measures nothing"):
        SamplingMask(np.zeros((1, 8, 1), dtype=bool), "random")


def test_arrays_are_read_only(rng):
    series = small_series(rng)
    with pytest.raises(ValueError, match="read-only"):
        series.read(0)[0, 0, 0, 0] = 0


def test_wrong_number_of_axes_is_named(rng):
    with pytest.raises(
        ShapeError, match=r"k-space has the wrong number of axes \(expected 5: slice, frame, coil, ky, kx / found 3"
    ):
        ArrayReader(np.ones((3, 4, 5), dtype=complex))


def test_nan_is_found_when_a_slice_is_read(rng):
    data = np.ones((2, 1, 1, 4, 4), dtype=np.complex64)
    data[1, 0, 0, 2, 2] = np.nan
    series = KSpaceSeries(reader=ArrayReader(data))
    assert np.isfinite(series.read(0)).all()
    with pytest.raises(InputError, match="k-space of slice 1 holds 1 values that are NaN"):
        series.read(1)


def test_large_finite_values_are_not_taken_for_infinite(rng):
    data = np.full((1, 1, 1, 64, 64), 3e38, dtype=np.complex64)
    assert KSpaceSeries(reader=ArrayReader(data)).read(0).shape == (1, 1, 64, 64)


def test_times_for_all_slices_are_repeated(rng):
    series = small_series(rng, kind=Kind.MOLLI, times_ms=np.array([100.0, 180.0, 260.0]))
    assert series.times_ms.shape == (2, 3)


def test_times_that_do_not_fit_are_refused(rng):
    with pytest.raises(ShapeError, match="times do not fit"):
        small_series(rng, times_ms=np.array([100.0, 180.0]))
    with pytest.raises(InputError, match="finite and not negative"):
        small_series(rng, times_ms=np.array([100.0, -1.0, 5.0]))


def test_reference_must_match(rng):
    mask = SamplingMask(np.ones((1, 5, 1), dtype=bool), "full")
    with pytest.raises(ShapeError, match="reference and reconstruction differ"):
        Reconstruction(
            image=np.ones((1, 1, 5, 6)), method="x", slices=(0,), frames=(0,), mask=mask, reference=np.ones((1, 2, 5, 6))
        )


def test_images_and_maps_keep_their_types():
    assert ImageSeries(images=np.ones((1, 2, 3, 4), dtype=np.uint16)).images.dtype == np.float32
    assert ImageSeries(images=np.ones((1, 2, 3, 4), dtype=np.complex128)).images.dtype == np.complex64
    with pytest.raises(ShapeError, match="T1 has the wrong number of axes"):
        ParameterMap(values=np.ones((3, 4)), quantity="T1", unit="ms", valid=np.ones((3, 4), dtype=bool))


def test_a_series_without_samples_is_refused():
    class Empty:
        shape = (1, 0, 2, 16, 16)

    with pytest.raises(ShapeError, match="k-space is empty"):
        KSpaceSeries(reader=Empty())


@pytest.mark.parametrize("field", ["valid", "sd", "residual"])
def test_what_stands_beside_a_map_has_its_shape(field):
    fields = {"valid": np.ones((1, 3, 4), dtype=bool), field: np.ones((1, 4, 3))}
    with pytest.raises(ShapeError, match=f"{field} of the T1 map does not fit"):
        ParameterMap(values=np.ones((1, 3, 4)), quantity="T1", unit="ms", **fields)
    good = ParameterMap(values=np.ones((1, 3, 4)), quantity="T1", unit="ms", valid=np.ones((1, 3, 4)), sd=np.ones((1, 3, 4)))
    assert (good.sd.dtype, good.sd.flags.writeable, good.residual) == (np.float32, False, None)


def test_reconstruction_lists_as_many_slices_and_frames_as_it_has():
    mask = SamplingMask(np.ones((1, 4, 1), bool), "full")
    with pytest.raises(ShapeError, match="expected 2 x 3 / found 1 x 3"):
        Reconstruction(np.ones((1, 3, 4, 5), np.complex64), "x", (0, 1), (0, 1, 2), mask)
