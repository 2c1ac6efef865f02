"""The session: cases, results by mask and slice, snapshots."""

from __future__ import annotations

import numpy as np
import pytest

from app.session import frame_duration, has_zero_filled, is_stale, join
from engine.core.requests import MaskRequest
from engine.core.types import Kind, Reconstruction, SamplingMask
from tests.app.stand_in import SHAPE, images, kspace


def mask(acceleration: int) -> SamplingMask:
    lines = np.zeros((1, 32, 1), bool)
    lines[:, ::acceleration] = True
    return SamplingMask(lines, "equispaced", float(acceleration))


def recon(m: SamplingMask, slices=(0,), value=1.0, method="cg_sense") -> Reconstruction:
    image = np.full((len(slices), SHAPE[1], 32, 24), value, np.complex64)
    return Reconstruction(
        image, method, tuple(slices), tuple(range(SHAPE[1])), m, seconds=1.0, notes=("simulated coils", "sample: x")
    )


@pytest.fixture
def case(session):
    made = session.new_case(kspace(), "tiny")
    session.insert_case(made)
    session.set_mask(made, MaskRequest(), mask(4))
    return made


def heard(signal):
    count = []
    signal.connect(lambda: count.append(1))
    return count


def test_a_new_case_starts_in_the_middle_slice(case):
    assert case.view.slice_index == SHAPE[0] // 2


def test_only_the_current_case_is_told(session, case):
    other = session.new_case(kspace(), "other")
    session.insert_case(other)
    told = heard(session.mask_changed)
    session.set_mask(case, None, mask(2))
    assert not told
    session.set_mask(other, None, mask(2))
    assert told


def test_removing_selects_the_neighbour(session, case):
    second, third = session.new_case(kspace(), "2"), session.new_case(kspace(), "3")
    session.insert_case(second)
    session.insert_case(third)
    assert session.current is third
    assert session.remove_case(third) == 2
    assert session.current is second
    session.remove_case(second)
    session.remove_case(case)
    assert session.current is None
    assert session.snapshot().title == ""


def test_slices_of_one_mask_join_in_order(session, case):
    m = case.mask
    session.add_result(case, "cg_sense", "CG-SENSE", recon(m, (1,), 1.0))
    session.add_result(case, "cg_sense", "CG-SENSE", recon(m, (0,), 2.0))
    (result,) = case.results
    assert result.slices == (0, 1)
    assert result.reconstruction.image[0, 0, 0, 0] == 2.0
    assert result.reconstruction.seconds == 2.0
    session.add_result(case, "cg_sense", "CG-SENSE", recon(m, (1,), 3.0))
    assert case.results[0].reconstruction.image[:, 0, 0, 0].tolist() == [2.0, 3.0]


def test_join_of_other_frames_takes_the_new_one():
    m = mask(2)
    first = recon(m)
    second = Reconstruction(first.image[:, :2], "cg_sense", (1,), (0, 1), m)
    assert join(first, second) is second


def test_a_new_mask_marks_results_and_running_again_replaces_in_place(session, case):
    session.add_result(case, "cg_sense", "CG-SENSE", recon(case.mask))
    session.add_result(case, "zero_filled", "Zero-filled", recon(case.mask, method="zero_filled"))
    session.set_mask(case, None, mask(8))
    assert [is_stale(r, case) for r in case.results] == [True, True]
    replaced = session.add_result(case, "cg_sense", "CG-SENSE", recon(case.mask))
    assert len(replaced) == 1
    assert [r.method for r in case.results] == ["cg_sense", "zero_filled"]
    assert [is_stale(r, case) for r in case.results] == [False, True]


def test_earlier_results_can_be_kept(session, case):
    session.add_result(case, "cg_sense", "CG-SENSE", recon(case.mask))
    session.set_mask(case, None, mask(8))
    assert session.add_result(case, "cg_sense", "CG-SENSE", recon(case.mask), keep_earlier=True) == []
    assert len(case.results) == 2


def test_the_same_mask_made_again_is_not_stale(session, case):
    session.add_result(case, "cg_sense", "CG-SENSE", recon(case.mask))
    session.set_mask(case, None, mask(8))
    session.set_mask(case, None, mask(4))
    assert not is_stale(case.results[0], case)


def test_preview_gives_way_to_the_real_zero_filled(session, case):
    here = case.view.slice_index
    session.set_preview(case, recon(case.mask, (here,), method="zero_filled"))
    assert [e.key for e in session.snapshot().results] == ["preview"]
    session.add_result(case, "zero_filled", "Zero-filled", recon(case.mask, (here,), method="zero_filled"))
    assert has_zero_filled(case)
    assert [e.preview for e in session.snapshot().results] == [False]
    session.set_mask(case, None, mask(8))
    assert case.preview is None
    assert not has_zero_filled(case)


def test_references_arrive_slice_by_slice_as_new_read_only_arrays(session, case):
    shape = (1, SHAPE[1], 32, 24)
    session.set_reference(case, (1,), np.full(shape, 5, np.complex64))
    first = case.reference
    session.set_reference(case, (0,), np.full(shape, 7, np.complex64))
    assert case.reference is not first
    assert not case.reference.flags.writeable
    assert case.reference[:, 0, 0, 0].tolist() == [7, 5, 0]
    assert case.reference_slices == {0, 1}
    assert session.snapshot().reference_slices == {0, 1}, "what is drawn knows that slice 2 is not there yet"


def test_the_snapshot_has_what_is_drawn_and_no_licence_as_a_warning(session, case):
    session.add_result(case, "cg_sense", "CG-SENSE", recon(case.mask))
    shot = session.snapshot()
    assert shot.title == "tiny"
    assert shot.slices == (0, 1, 2)
    assert shot.frames == (0, 1, 2, 3)
    assert shot.frame_ms == pytest.approx(40)
    assert shot.results[0].reconstruction.notes == ("simulated coils",)


def test_frame_duration_is_for_cines_only(session):
    assert frame_duration(session.new_case(kspace(kind=Kind.MOLLI), "m")) is None
    assert frame_duration(session.new_case(images(), "i")) is None
