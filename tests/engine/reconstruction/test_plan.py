"""A run of several methods: the same numbers as single calls, each method made once, what is finished stays, records are flat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.core.errors import Cancelled, InputError, UnknownNameError
from engine.core.geometry import Geometry
from engine.core.jobs import CancelToken, Reporter, silent
from engine.core.requests import MaskRequest, MethodFailed, MethodRequest, ReconRequest, RunRequest, SliceDone
from engine.core.types import ArrayReader, KSpaceSeries
from engine.evaluation.regions import dynamic_region, static_region
from engine.evaluation.score import score
from engine.physics.fourier import fft2c
from engine.reconstruction import plan, weights
from engine.reconstruction.plan import reconstruct, run
from engine.sampling import make_mask

SLICES, FRAMES, COILS, SIZE = 4, 3, 3, 32
METHODS = (MethodRequest("zero_filled"), MethodRequest("cg_sense"), MethodRequest("grappa"))


@pytest.fixture(scope="module")
def series():
    """Return four slices of noise-free k-space of a body that moves, each of another size."""
    yy, xx = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(-1, 1, SIZE), indexing="ij")
    angle = np.linspace(0, 2 * np.pi, COILS, endpoint=False)
    coils = np.stack([np.exp(-((yy - np.sin(a)) ** 2 + (xx - np.cos(a)) ** 2) / 2 + 1j * xx * np.cos(a)) for a in angle])
    body = [
        [(yy**2 + xx**2 < 0.3 + 0.1 * t + 0.05 * s) * (1 + 0.3 * np.cos(6 * xx + t)) for t in range(FRAMES)] for s in range(SLICES)
    ]
    return KSpaceSeries(reader=ArrayReader(fft2c(torch.from_numpy(np.array(body)[:, :, None] * coils)).numpy()), name="body")


@pytest.fixture(scope="module")
def mask():
    return make_mask(MaskRequest("equispaced", 3.0, 10), FRAMES, SIZE, SIZE)


def told(request, token=None, stop_after=None):
    """Run and return all that was told; the run is cancelled after so many slices."""
    token = token or CancelToken()
    found = []

    def tell(event):
        found.append(event)
        if stop_after is not None and sum(isinstance(e, SliceDone) and not e.finished for e in found) == stop_after:
            token.cancel()

    if stop_after is None:
        run(request, Reporter(token=token), tell)
    else:
        with pytest.raises(Cancelled):
            run(request, Reporter(token=token), tell)
    return found


def ends(found):
    return {event.index: event for event in found if isinstance(event, SliceDone) and event.finished}


def test_every_number_is_that_of_a_single_call(series, mask):
    found = told(RunRequest(series, METHODS, mask, slices=(2, 0, 1, 3)))
    for index, event in ends(found).items():
        assert event.result.slices == (0, 1, 2, 3)
        for s in range(SLICES):
            alone = reconstruct(ReconRequest(series, METHODS[index].method, mask, slices=(s,)), silent())
            assert np.array_equal(event.result.image[s], alone.image[0])
            assert np.array_equal(event.result.reference[s], alone.reference[0])


def test_slices_of_a_single_call_come_in_the_order_asked_for_with_their_place(series, mask):
    planes = np.stack([np.eye(4)] * SLICES)
    planes[:, 2, 3] = 8.0 * np.arange(SLICES)
    placed = replace(series, geometry=Geometry(planes=planes))
    made = reconstruct(ReconRequest(placed, "cg_sense", mask, slices=(3, 0)), silent())
    assert made.slices == (3, 0)
    assert made.geometry.planes[:, 2, 3].tolist() == [24.0, 0.0]
    whole = reconstruct(ReconRequest(placed, "cg_sense", mask), silent())
    assert np.array_equal(made.image, whole.image[[3, 0]])
    for event in ends(told(RunRequest(placed, METHODS, mask, slices=(3, 0)))).values():
        assert event.result.slices == (0, 3)
        assert event.result.geometry.planes[:, 2, 3].tolist() == [0.0, 24.0]


def test_slices_come_one_by_one_all_methods_of_each(series, mask):
    found = [event for event in told(RunRequest(series, METHODS, mask, slices=(2, 0, 3))) if not event.finished]
    assert [(event.slice_index, event.index) for event in found] == [(s, m) for s in (2, 0, 3) for m in range(3)]
    for number, event in enumerate(found):
        assert event.result.slices == (2, 0, 3)[: number // 3 + 1]
    first, last = found[0].result.image, found[6].result.image
    assert np.shares_memory(first, last), "one buffer, filled"
    assert np.array_equal(first[0], last[0])


def test_a_method_is_made_once_a_run(series, mask, monkeypatch):
    made, loaded = [], []
    build, load = plan.build, weights.load
    monkeypatch.setattr(plan, "build", lambda *a: made.append(a[0].method) or build(*a))
    monkeypatch.setattr(weights, "load", lambda *a: loaded.append(a[0]) or load(*a))
    told(RunRequest(series, (MethodRequest("zero_filled"), MethodRequest("myonet")), mask, reference=False))
    assert made == ["zero_filled", "myonet"]
    assert loaded == ["myonet"]


@pytest.mark.parametrize("stop_after", [4, 6])
def test_what_was_finished_before_cancelling_is_kept(series, mask, stop_after):
    found = told(RunRequest(series, METHODS, mask, slices=(3, 1, 0, 2)), stop_after=stop_after)
    expected = {0: (1, 3), 1: (3,) if stop_after == 4 else (1, 3), 2: (3,) if stop_after == 4 else (1, 3)}
    assert {index: event.result.slices for index, event in ends(found).items()} == expected
    for event in ends(found).values():
        assert sorted(event.result.provenance["slices"]) == list(event.result.slices)


def test_a_run_is_cancelled_inside_a_slice(series, mask, monkeypatch):
    """The token is set when the second slice has begun: the method stops at its own next check, and the first slice stays."""
    token, work = CancelToken(), plan.reconstruct_slice

    def told_to_stop(built, measured, *rest):
        if measured.index == 1:
            token.cancel()
        return work(built, measured, *rest)

    monkeypatch.setattr(plan, "reconstruct_slice", told_to_stop)
    found = []
    with pytest.raises(Cancelled):
        run(RunRequest(series, METHODS[1:2], mask), Reporter(token=token), found.append)
    assert ends(found)[0].result.slices == (0,)


def test_provenance_is_flat_however_often_slices_are_added(series, mask):
    made = None
    for s in (1, 3, 0, 2, 3):
        (event,) = ends(told(RunRequest(series, (MethodRequest("cg_sense", earlier=made),), mask, slices=(s,)))).values()
        made = event.result
    assert made.slices == (0, 1, 2, 3)
    record = made.provenance
    assert record["slices"] == [3]
    assert [run["slices"] for run in record["earlier_runs"]] == [[1], [0], [2]]
    assert not any("earlier_runs" in run for run in record["earlier_runs"])
    whole = reconstruct(ReconRequest(series, "cg_sense", mask), silent())
    assert np.array_equal(made.image, whole.image)


def test_earlier_slices_of_another_mask_are_left_aside(series, mask):
    other = make_mask(MaskRequest("equispaced", 2.0, 10), FRAMES, SIZE, SIZE)
    earlier = reconstruct(ReconRequest(series, "cg_sense", other, slices=(0,)), silent())
    (event,) = ends(told(RunRequest(series, (MethodRequest("cg_sense", earlier=earlier),), mask, slices=(2,)))).values()
    assert event.result.slices == (2,)
    assert "earlier_runs" not in event.result.provenance


def test_scores_are_those_of_evaluate(series, mask):
    names = ("psnr", "ssim", "nmse")
    found = told(RunRequest(series, METHODS[:2], mask, slices=(2, 0, 1, 3), metrics=names, percentile=80.0))
    for event in (found[2], *ends(found).values()):  # after the second slice's first method, and at the end
        made = event.result
        truth = made.reference
        for region in (None, dynamic_region(truth, 80.0), static_region(truth, 80.0)):
            for one in score(made.image, truth, names, region):
                if one.slice == "all":
                    got = event.scores[one.metric, one.region]
                    assert got.value == pytest.approx(one.value, rel=1e-6)
                    assert (got.n_pixels, got.data_range) == (one.n_pixels, pytest.approx(one.data_range))


def test_a_method_that_fails_does_not_stop_the_others(series, mask):
    bad = (
        MethodRequest("zero_filled"),
        MethodRequest("no_such"),
        MethodRequest("cg_sense", weights="none"),
        MethodRequest("grappa"),
    )
    found = told(RunRequest(series, bad, mask))
    failed = {event.index: event.error for event in found if isinstance(event, MethodFailed)}
    assert isinstance(failed[1], UnknownNameError)
    assert isinstance(failed[2], InputError)
    assert {index: event.result.slices for index, event in ends(found).items()} == {0: (0, 1, 2, 3), 3: (0, 1, 2, 3)}


def test_a_run_whose_methods_all_fail_ends_with_their_errors_only(series, mask):
    found = told(RunRequest(series, (MethodRequest("no_such"), MethodRequest("cg_sense", weights="none")), mask))
    assert [type(event) for event in found] == [MethodFailed, MethodFailed]


def test_a_method_that_fails_on_the_way_keeps_its_slices(series, mask, monkeypatch):
    work = plan.reconstruct_slice

    def breaks(built, measured, *rest):
        if built.spec.name == "cg_sense" and measured.index == 2:
            raise RuntimeError("broken")
        return work(built, measured, *rest)

    monkeypatch.setattr(plan, "reconstruct_slice", breaks)
    found = told(RunRequest(series, METHODS, mask))
    (failed,) = [event for event in found if isinstance(event, MethodFailed)]
    assert failed.index == 1
    assert "broken" in failed.details
    assert {index: event.result.slices for index, event in ends(found).items()} == {0: (0, 1, 2, 3), 1: (0, 1), 2: (0, 1, 2, 3)}
