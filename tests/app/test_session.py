"""The session: cases, results by mask and slice, what is told, snapshots."""

from __future__ import annotations

import numpy as np
import pytest

from app.document.results import continued, frame_duration, has_zero_filled, is_stale
from app.document.state import Change, Topic
from engine.core.requests import MaskRequest
from engine.core.types import Kind, Reconstruction, SamplingMask, Score
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
def key(session):
    """Key of the one case, which has a mask."""
    made = session.new_case(kspace(), "tiny")
    session.insert(made)
    session.edit(made.key, request=MaskRequest(), mask=mask(4))
    return made.key


def heard(session, *topics):
    count = []
    session.listen(lambda: count.append(1), *topics)
    return count


def test_a_new_case_starts_in_the_middle_slice(session, key):
    assert session.current.view.slice_index == SHAPE[0] // 2


def test_only_the_current_case_is_told_to_who_listens_to_a_topic_and_all_are_in_the_change(session, key):
    other = session.new_case(kspace(), "other")
    session.insert(other)
    told, changes = heard(session, Topic.SAMPLING), []
    session.changed.connect(changes.append)
    session.edit(key, mask=mask(2))
    assert not told
    assert changes[-1].cases == {key: {Topic.SAMPLING}}
    session.edit(other.key, mask=mask(2))
    assert told == [1]


def test_one_change_is_told_once_whatever_it_changes(session, key):
    told = heard(session, Topic.SAMPLING, Topic.RESULTS)
    session.edit(key, mask=mask(2), results=())
    assert told == [1]


def test_what_stays_the_same_is_no_change(session, key):
    changes, view = [], session.current.view
    session.changed.connect(changes.append)
    session.edit(key, view=type(view)(slice_index=view.slice_index))
    session.edit(key, mask=session.current.mask)
    session.apply(Change(lambda document: document))
    session.select(key)
    assert not changes


def test_a_state_is_never_changed(session, key):
    before = session.state
    session.add_result(key, "a", "A", recon(session.current.mask))
    session.edit(key, selected="reference", drawings={})
    assert before.current.results == ()
    assert before.current.selected == ""
    with pytest.raises(AttributeError):
        session.current.title = "another"


def test_removing_selects_the_neighbour(session, key):
    second, third = session.new_case(kspace(), "2"), session.new_case(kspace(), "3")
    session.insert(second)
    session.insert(third)
    assert session.current is third
    session.remove(third.key)
    assert session.current is second
    session.remove(second.key)
    session.remove(key)
    assert session.current is None
    assert session.snapshot().title == ""


def test_each_workspace_has_a_selection_of_its_own(session, key):
    review, maps = heard(session, Topic.SELECTED), heard(session, Topic.MAP_SELECTED)
    session.edit(key, map_selected="reference")
    assert (review, maps) == ([], [1])
    assert session.current.selected == ""
    session.edit(key, selected="reference")
    assert (review, maps) == ([1], [1])


def test_what_a_method_has_made_by_now_takes_the_place_of_what_it_had_before(session, key):
    m = session.current.mask
    session.add_result(key, "cg_sense", "CG-SENSE", recon(m, (1,), 1.0))
    first = session.current.results[0]
    scores = {("psnr", "whole"): Score("psnr", 30.0, "dB", "whole", "all", 1.0, 10, True)}
    session.add_result(key, "cg_sense", "CG-SENSE", recon(m, (1, 0), 2.0), scores=scores, percentile=90.0)
    (result,) = session.current.results
    assert (result.key, result.slices) == (first.key, (1, 0))
    assert result.identity != first.identity, "other images, another name"
    assert (result.scores, result.percentile) == (scores, 90.0)
    assert session.history.undo_step is None, "a run that goes on is no edit"


def test_a_run_takes_along_what_was_made_in_the_same_way(session, key):
    m = session.current.mask
    session.add_result(key, "cg_sense", "CG-SENSE", recon(m, (1,)), options={"weight": 0.1})
    made = session.current.results[0].reconstruction
    assert continued(session.current, "cg_sense", None, {"weight": 0.1}) is made
    assert continued(session.current, "cg_sense", None, {}) is None, "other settings"
    assert continued(session.current, "cg_sense", "weights-2", {"weight": 0.1}) is None, "other weights"
    session.edit(key, mask=mask(8))
    assert continued(session.current, "cg_sense", None, {"weight": 0.1}) is None, "another mask"


def test_a_new_mask_marks_results_and_running_again_replaces_in_place(session, key):
    session.add_result(key, "cg_sense", "CG-SENSE", recon(session.current.mask))
    session.add_result(key, "zero_filled", "Zero-filled", recon(session.current.mask, method="zero_filled"))
    session.edit(key, mask=mask(8))
    assert [is_stale(r, session.current) for r in session.current.results] == [True, True]
    session.add_result(key, "cg_sense", "CG-SENSE", recon(session.current.mask))
    assert [r.method for r in session.current.results] == ["cg_sense", "zero_filled"]
    assert [is_stale(r, session.current) for r in session.current.results] == [False, True]


def test_earlier_results_can_be_kept(session, key):
    session.add_result(key, "cg_sense", "CG-SENSE", recon(session.current.mask))
    session.edit(key, mask=mask(8))
    session.add_result(key, "cg_sense", "CG-SENSE", recon(session.current.mask), keep_earlier=True)
    assert len(session.current.results) == 2
    assert session.history.undo_step is None, "nothing was taken away"


def test_the_same_mask_made_again_is_not_stale(session, key):
    session.add_result(key, "cg_sense", "CG-SENSE", recon(session.current.mask))
    session.edit(key, mask=mask(8))
    session.edit(key, mask=mask(4))
    assert not is_stale(session.current.results[0], session.current)


def test_preview_gives_way_to_the_real_zero_filled_and_goes_with_its_mask(session, key):
    here = session.current.view.slice_index
    session.edit(key, preview=recon(session.current.mask, (here,), method="zero_filled"))
    assert [e.key for e in session.snapshot().results] == ["preview"]
    session.add_result(key, "zero_filled", "Zero-filled", recon(session.current.mask, (here,), method="zero_filled"))
    assert has_zero_filled(session.current)
    assert [e.preview for e in session.snapshot().results] == [False]
    session.edit(key, mask=mask(8))
    assert session.current.preview is None
    assert not has_zero_filled(session.current)


def test_references_arrive_slice_by_slice_as_new_read_only_arrays(session, key):
    shape = (1, SHAPE[1], 32, 24)
    session.set_reference(key, (1,), np.full(shape, 5, np.complex64))
    first = session.current
    session.set_reference(key, (0,), np.full(shape, 7, np.complex64))
    assert session.current.reference is not first.reference
    assert not session.current.reference.flags.writeable
    assert session.current.reference[:, 0, 0, 0].tolist() == [7, 5, 0]
    assert session.current.reference_slices == {0, 1}
    assert first.reference_slices == {1}
    assert np.shares_memory(session.current.reference, first.reference), "the case's reference is allocated once"
    assert session.snapshot().reference_slices == {0, 1}, "what is drawn knows that slice 2 is not there yet"


def test_the_snapshot_has_what_is_drawn_and_no_licence_as_a_warning(session, key):
    session.add_result(key, "cg_sense", "CG-SENSE", recon(session.current.mask))
    shot = session.snapshot()
    assert shot.title == "tiny"
    assert shot.slices == (0, 1, 2)
    assert shot.frames == (0, 1, 2, 3)
    assert shot.frame_ms == pytest.approx(40)
    assert shot.results[0].reconstruction.notes == ("simulated coils",)


def test_frame_duration_is_for_cines_only(session):
    assert frame_duration(session.new_case(kspace(kind=Kind.MOLLI), "m")) is None
    assert frame_duration(session.new_case(images(), "i")) is None
