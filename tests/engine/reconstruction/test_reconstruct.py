"""From request to reconstruction: masks combine, scale comes back, caches hold what they should."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch

from engine.core.errors import Cancelled, InputError
from engine.core.jobs import CancelToken, Reporter, silent
from engine.core.requests import MaskRequest, ReconRequest
from engine.core.types import Acquisition, ArrayReader, KSpaceSeries, SamplingMask
from engine.physics.fourier import fft2c
from engine.physics.operator import SenseOperator
from engine.reconstruction.cache import Cache
from engine.reconstruction.inputs import effective_mask, reference_image
from engine.reconstruction.plan import reconstruct
from engine.reconstruction.preview import preview
from engine.reconstruction.stages import StageRecorder
from engine.sampling import make_mask

SHAPE = (2, 3, 4, 40, 36)


@pytest.fixture
def series():
    """Return a smooth object seen by smooth coils with a little noise, on a scale of 1e-5."""
    yy, xx = np.meshgrid(np.linspace(-1, 1, SHAPE[-2]), np.linspace(-1, 1, SHAPE[-1]), indexing="ij")
    angle = np.linspace(0, 2 * np.pi, SHAPE[2], endpoint=False)
    coils = np.stack([np.exp(-((yy - np.sin(a)) ** 2 + (xx - np.cos(a)) ** 2) / 2 + 1j * (xx * np.cos(a))) for a in angle])
    body = [(yy**2 + xx**2 < 0.5 + 0.1 * t) * (1 + 0.3 * np.cos(6 * xx + t)) for t in range(SHAPE[1])]
    images = np.stack([np.stack(body) * (1 + s) for s in range(SHAPE[0])])
    kspace = fft2c(torch.from_numpy(images[:, :, None] * coils)).numpy()
    rng = np.random.default_rng(1)
    kspace += 0.01 * (rng.standard_normal(kspace.shape) + 1j * rng.standard_normal(kspace.shape))
    kspace *= 1e-5
    return KSpaceSeries(reader=ArrayReader(kspace), name="test object")


def mask_for(acceleration=3.0, acs=12):
    return make_mask(MaskRequest("equispaced", acceleration, acs), SHAPE[1], SHAPE[-2], SHAPE[-1])


def test_scale_of_the_data_comes_back(series):
    """Eight times the data (exact in binary) give eight times the image, and a full mask gives the reference."""
    loud = KSpaceSeries(reader=ArrayReader(series.reader.array * 8))
    small, large = (reconstruct(ReconRequest(s, "cg_sense", mask_for()), silent()) for s in (series, loud))
    # Not to the bit: a calibration kernel next to the noise threshold may fall on either side of it.
    assert np.abs(large.image - 8 * small.image).max() < 1e-3 * np.abs(large.image).max()
    full = reconstruct(ReconRequest(series, "zero_filled"), silent())
    assert np.abs(full.image - full.reference).max() < 1e-4 * np.abs(full.reference).max()


def test_chosen_slices_and_frames_are_those(series):
    part = reconstruct(ReconRequest(series, "zero_filled", mask_for(), slices=(1,), frames=(2, 0)), silent())
    whole = reconstruct(ReconRequest(series, "zero_filled", mask_for()), silent())
    assert part.image.shape == (1, 2, 40, 36)
    assert part.slices == (1,)
    # Coil maps come from the chosen frames, so magnitudes agree closely but not to the bit.
    error = np.abs(np.abs(part.image[0]) - np.abs(whole.image[1, [2, 0]])).max()
    assert error < 0.02 * np.abs(whole.image).max()


def test_undersampled_data_have_no_reference_and_keep_their_mask(series):
    acquired = mask_for()
    measured = KSpaceSeries(
        reader=ArrayReader(np.where(acquired.lines[:, None], series.reader.array, 0)), acquisition=Acquisition((acquired,))
    )
    result = reconstruct(ReconRequest(measured, "zero_filled"), silent())
    assert result.reference is None
    assert result.mask.effective_acceleration == acquired.effective_acceleration
    with pytest.raises(InputError, match="has no reference"):
        reference_image(measured, None, None, silent())


def test_masks_combine_with_what_was_acquired(series):
    acquired = mask_for(2)
    measured = KSpaceSeries(reader=series.reader, acquisition=Acquisition((acquired,)))
    both = effective_mask(measured, mask_for(4))
    assert (both.lines == (acquired.lines & mask_for(4).lines)).all()
    odd = np.zeros((1, 40, 1), dtype=bool)
    odd[:, 1] = True
    with pytest.raises(InputError, match="measures none of the lines"):
        effective_mask(measured, SamplingMask(odd, "file"))


def test_progress_reaches_the_end_and_cancel_is_obeyed(series):
    seen = []
    reconstruct(ReconRequest(series, "cg_sense", mask_for()), Reporter(seen.append))
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        reconstruct(ReconRequest(series, "cg_sense", mask_for()), Reporter(None, token))


def test_preview_is_the_zero_filled_root_sum_of_squares(series):
    mask = mask_for()
    shown = preview(series, mask, 1, 2)
    kspace = torch.from_numpy(np.where(mask.lines[0], series.reader.array[1, 2], 0))
    from engine.physics.coils import rss
    from engine.physics.fourier import ifft2c

    expected = rss(ifft2c(kspace)).numpy()
    assert np.allclose(np.abs(shown), np.abs(expected), atol=1e-4 * np.abs(expected).max())


def test_options_are_checked(series):
    with pytest.raises(InputError, match="has no option 'lambda'"):
        reconstruct(ReconRequest(series, "cg_sense", mask_for(), options={"lambda": 1.0}), silent())
    with pytest.raises(InputError, match=r"is 'many' \(expected int\)"):
        reconstruct(ReconRequest(series, "cg_sense", mask_for(), options={"iterations": "many"}), silent())
    with pytest.raises(InputError, match=r"slice \[7\] does not exist"):
        reconstruct(ReconRequest(series, "cg_sense", mask_for(), slices=(7,)), silent())


def test_stages_are_kept_on_the_scale_of_the_data():
    recorder = StageRecorder(enabled=True)
    for _ in range(2):
        sink = recorder.sink(lambda image: image)
        for i in (0, 1, 2):
            sink(i, "image", torch.full((1, 3, 4, 5), float(i + 1), dtype=torch.complex64))
            sink(i, "step size", torch.tensor(0.1))
        recorder.finish_slice(10.0)
    arrays = recorder.arrays()
    assert set(arrays) == {"image"}
    assert arrays["image"].shape == (3, 2, 3, 4, 5)
    assert arrays["image"][2, 1, 0, 0, 0] == 30


def test_a_slice_that_stopped_early_repeats_its_last_stage():
    recorder = StageRecorder(enabled=True)
    for count in (3, 1):
        sink = recorder.sink(lambda image: image)
        for i in range(count):
            sink(i, "image", torch.full((1, 3, 4, 5), float(i + 1), dtype=torch.complex64))
        recorder.finish_slice(1.0)
    stages = recorder.arrays()["image"]
    assert stages.shape == (3, 2, 3, 4, 5)
    assert stages[:, 0, 0, 0, 0].tolist() == [1, 2, 3]
    assert stages[:, 1, 0, 0, 0].tolist() == [1, 1, 1]


def test_cache_keeps_recent_values_and_forgets_with_the_series(series):
    cache: Cache[np.ndarray] = Cache(250, lambda a: a.nbytes)
    made = []

    def make(name):
        made.append(name)
        return np.zeros(100, dtype=np.uint8)

    for name in ("a", "b", "a", "c", "b"):
        cache.get(series, name, lambda n=name: make(n))
    assert made == ["a", "b", "c", "b"]
    other = KSpaceSeries(reader=ArrayReader(np.ones(SHAPE)))
    cache.get(other, "a", lambda: make("other a"))
    assert made[-1] == "other a"
    held = len(cache._values)
    del other
    gc.collect()
    assert len(cache._values) == held - 1


def test_a_series_may_go_while_the_cache_is_busy(series):
    """The garbage collector calls back in the middle of anything, also of the cache's own work."""
    cache: Cache[int] = Cache(100, lambda _: 1)
    other = KSpaceSeries(reader=ArrayReader(np.ones(SHAPE)))
    cache.get(other, "a", lambda: 1)
    with cache._lock:
        del other
        gc.collect()
    cache.get(series, "b", lambda: 2)
    assert list(cache._values.values()) == [2]


def test_the_mask_of_the_data_is_no_further_undersampling(series):
    acquired = mask_for(2)
    measured = KSpaceSeries(reader=series.reader, acquisition=Acquisition((acquired,)))
    same = reconstruct(ReconRequest(measured, "zero_filled", mask_for(2)), silent())
    assert same.mask is acquired
    assert same.notes == ()
    further = reconstruct(ReconRequest(measured, "zero_filled", mask_for(4)), silent())
    assert further.notes == ("undersampled further than it was acquired",)


def test_a_method_that_diverges_is_said(series, monkeypatch):
    adjoint = SenseOperator.adjoint
    monkeypatch.setattr(SenseOperator, "adjoint", lambda self, kspace: adjoint(self, kspace) * float("nan"))
    with pytest.raises(InputError, match=r"zero_filled gave \d+ values that are NaN or infinite in slice 0"):
        reconstruct(ReconRequest(series, "zero_filled", mask_for(), reference=False), silent())
