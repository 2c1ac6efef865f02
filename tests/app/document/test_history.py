"""Undo and redo: what is taken back, what stays, what a budget of memory forgets."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from app.display.map_state import Drawing
from app.document.memory import arrays_of
from app.document.state import Topic
from tests.app.stand_in import kspace
from tests.app.test_session import mask, recon


@pytest.fixture
def key(session):
    made = session.new_case(kspace(), "tiny")
    session.insert(made)
    session.edit(made.key, mask=mask(4))
    return made.key


def look(session, key, text, merge="", **changes):
    session.edit(key, text, merge, view=replace(session.find(key).view, **changes))


def methods(session):
    return [result.method for result in session.current.results]


def test_one_drag_of_the_window_is_one_step_two_are_two(session, key):
    for drag, high in ((0, 1.0), (0, 2.0), (1, 3.0), (1, 4.0)):
        look(session, key, "window", f"window {drag}", window=(0.0, high))
    assert len(session.history) == 2
    session.undo()
    assert session.current.view.window == (0.0, 2.0)
    session.undo()
    assert session.current.view.window is None
    session.redo()
    assert session.current.view.window == (0.0, 2.0)


def test_a_drag_that_goes_on_after_undo_is_another_step(session, key):
    look(session, key, "window", "window 0", window=(0.0, 1.0))
    look(session, key, "rotate", quarter_turns=1)
    session.undo()
    look(session, key, "window", "window 0", window=(0.0, 2.0))
    session.undo()
    assert session.current.view.window == (0.0, 1.0)


def test_a_drag_in_one_series_does_not_merge_with_one_in_another(session, key):
    other = session.new_case(kspace(), "other")
    session.insert(other)
    for name in (key, other.key):
        look(session, name, "window", "window 0", window=(0.0, 1.0))
    session.undo()
    assert session.find(other.key).view.window is None
    assert session.find(key).view.window == (0.0, 1.0)


def test_other_fields_do_not_merge(session, key):
    look(session, key, "window", "window 0", window=(0.0, 1.0))
    look(session, key, "profile", "profile 0", profile=(0.0, 0.0, 1.0, 1.0))
    look(session, key, "percentile", "percentile 0", region_percentile=80.0)
    look(session, key, "rotate", quarter_turns=1)
    look(session, key, "rotate", quarter_turns=2)
    assert len(session.history) == 5
    for _ in range(5):
        session.undo()
    view = session.current.view
    assert (view.window, view.profile, view.region_percentile, view.quarter_turns) == (None, None, 90.0, 0)
    assert session.history.undo_step is None


def test_undo_touches_only_what_was_edited(session, key):
    look(session, key, "window", window=(0.0, 1.0))
    look(session, key, "", frame=3)
    session.undo()
    assert session.current.view.window is None
    assert session.current.view.frame == 3


def test_looking_about_is_no_step(session, key):
    look(session, key, "", frame=3)
    session.edit(key, selected="reference")
    assert session.history.undo_step is None


def test_a_change_says_what_was_taken_back_and_made_again(session, key):
    told = []
    session.changed.connect(lambda change: told.append((change.undone, change.redone, Topic.HISTORY in change.topics)))
    look(session, key, "change the window", window=(0.0, 1.0))
    session.undo()
    session.redo()
    session.redo()
    assert told == [("", "", True), ("change the window", "", True), ("", "change the window", True)]


def test_a_new_edit_ends_what_could_be_made_again(session, key):
    look(session, key, "window", window=(0.0, 1.0))
    session.undo()
    look(session, key, "rotate", quarter_turns=1)
    assert session.history.redo_step is None


def test_sampling_is_undone_with_its_request_and_other_previews_are_not_shown(session, key):
    first = session.current.mask
    session.edit(key, preview=recon(first))
    session.edit(key, "change the sampling", mask=mask(8), mask_file="m.npz")
    session.undo()
    assert session.current.mask is first
    assert session.current.mask_file == ""
    assert session.current.preview is None, "it is made again for the mask that is back"


def test_a_removed_result_comes_back_where_it_stood(session, key):
    for method in ("a", "b", "c"):
        session.add_result(key, method, method, recon(session.current.mask, method=method))
    session.remove_results(key, "remove b", session.current.results[1].key)
    assert methods(session) == ["a", "c"]
    session.add_result(key, "d", "d", recon(session.current.mask, method="d"))
    session.undo()
    assert methods(session) == ["a", "b", "c", "d"]
    session.redo()
    assert methods(session) == ["a", "c", "d"]


def test_several_removed_results_come_back_in_their_order(session, key):
    for method in ("a", "b", "c", "d"):
        session.add_result(key, method, method, recon(session.current.mask, method=method))
    session.remove_results(key, "remove", *(r.key for r in session.current.results if r.method in "acd"))
    session.undo()
    assert methods(session) == ["a", "b", "c", "d"]


def test_a_replaced_result_comes_back_beside_the_new_one(session, key):
    session.add_result(key, "a", "A", recon(session.current.mask, method="a"))
    session.edit(key, mask=mask(8))
    session.add_result(key, "a", "A", recon(session.current.mask, method="a"))
    assert len(session.current.results) == 1
    session.undo()
    assert len(session.current.results) == 2
    session.redo()
    assert len(session.current.results) == 1
    assert session.current.results[0].mask is session.current.mask


def test_a_removed_series_comes_back_with_its_results_and_is_shown(session, key):
    session.add_result(key, "a", "A", recon(session.current.mask, method="a"))
    other = session.new_case(kspace(), "other")
    session.insert(other)
    session.remove(key)
    assert session.cases == (other,)
    session.undo()
    assert [case.key for case in session.cases] == [key, other.key]
    assert session.current.key == key
    assert session.current.results


def test_what_is_finished_for_a_series_that_was_closed_comes_back_with_it(session, key):
    m = session.current.mask
    session.remove(key)
    session.add_result(key, "a", "A", recon(m, method="a"))
    assert session.current is None
    session.undo()
    assert methods(session) == ["a"]


@pytest.mark.parametrize("command", ["removed", "replaced"])
def test_slices_that_joined_a_result_after_undo_come_back_with_it(session, key, command):
    first = session.current.mask
    session.add_result(key, "a", "A", recon(first, (0,), method="a"))
    if command == "removed":
        session.remove_results(key, "remove A", session.current.results[0].key)
    else:
        session.add_result(key, "a", "A", recon(mask(8), (0,), method="a"))
    session.undo()
    session.add_result(key, "a", "A", recon(first, (0, 1), method="a"))
    session.redo()
    assert not any(r.mask is first for r in session.current.results)
    session.undo()
    assert [r.slices for r in session.current.results if r.mask is first] == [(0, 1)]


def test_a_series_that_took_the_place_of_another_gives_it_back(session, key):
    case, other, made = session.current, session.new_case(kspace(), "other"), session.new_case(kspace(), "made")
    session.insert(other)
    session.put_in_place(key, made, "simulate coils")
    assert (session.cases, session.current) == ((made, other), made)
    session.undo()
    assert (session.cases, session.current) == ((case, other), case)
    session.redo()
    assert session.cases == (made, other)


def test_undo_shows_the_series_it_was_made_in(session, key):
    look(session, key, "window", window=(0.0, 1.0))
    session.insert(session.new_case(kspace(), "other"))
    session.undo()
    assert session.current.key == key


def test_drawings_of_other_slices_stay(session, key):
    dot = Drawing(roi=((1.0, 2.0),))
    session.edit(key, "draw", drawings={0: dot})
    session.edit(key, "", drawings={0: dot, 1: dot})
    session.undo()
    assert session.current.drawings == {1: dot}
    session.redo()
    assert session.current.drawings == {0: dot, 1: dot}


# --- memory -----------------------------------------------------------------------------------------------------------


def test_arrays_are_counted_once_whatever_shares_them(session, key):
    base = np.zeros(1000, np.float32)
    held = arrays_of({"a": base, "b": (base[10:], [base.reshape(10, 100)]), "c": {"d": np.ones(5)}})
    assert sum(held.values()) == 4000 + 40
    session.add_result(key, "a", "A", recon(session.current.mask))
    image = session.current.results[0].reconstruction.image
    assert sum(arrays_of([session.current, session.state, image]).values()) == sum(arrays_of(session.state).values())
    assert arrays_of(session.current.data), "k-space behind a reader is counted"


def test_steps_share_what_the_document_holds(session, key):
    session.add_result(key, "a", "A", recon(session.current.mask))
    look(session, key, "rotate", quarter_turns=1)
    assert session.history.bytes_beside(session.state) < 1000
    session.remove_results(key, "remove A", session.current.results[0].key)
    size = recon(mask(4)).image.nbytes
    assert size <= session.history.bytes_beside(session.state) < size + 10_000


def test_the_oldest_steps_go_when_the_budget_is_spent(session, key):
    size = recon(mask(4)).image.nbytes
    session.history.budget_bytes = int(2.5 * size)
    for method in "abcd":
        session.add_result(key, method, method, recon(session.current.mask, method=method))
    for result in session.current.results:
        session.remove_results(key, f"remove {result.title}", result.key)
    assert len(session.history) == 2
    assert session.history.bytes_beside(session.state) <= session.history.budget_bytes
    session.undo()
    session.undo()
    assert methods(session) == ["c", "d"]
    assert session.history.undo_step is None


def test_an_edit_that_is_larger_than_the_budget_says_that_it_is_final(session, key):
    session.history.budget_bytes = 1000
    session.add_result(key, "a", "A", recon(session.current.mask))
    told = []
    session.changed.connect(lambda change: told.append(change.final))
    session.remove_results(key, "remove A", session.current.results[0].key)
    assert told == ["remove A"]
    assert session.history.undo_step is None


@pytest.mark.slow
def test_cycles_of_open_make_undo_remove_and_close_hold_no_more_and_no_more(session):
    """What a long day does: memory stays where the budget put it, and closed series are gone."""
    size = arrays_of(kspace())
    session.history.budget_bytes = 3 * sum(size.values())
    alive, held = [], []
    for _ in range(30):
        case = session.new_case(kspace(), "again")
        alive.append(weakref.ref(case.data.reader.array))
        session.insert(case)
        session.edit(case.key, mask=mask(4))
        session.set_reference(case.key, (0,), np.ones((1, 4, 32, 24), np.complex64))
        session.add_result(case.key, "a", "A", recon(session.current.mask))
        session.edit(case.key, "change the sampling", mask=mask(8))
        session.add_result(case.key, "a", "A", recon(session.current.mask))
        session.undo()
        session.remove_results(case.key, "remove", *(r.key for r in session.current.results))
        session.remove(case.key)
        del case
        gc.collect()
        held.append(session.history.bytes_beside(session.state))
    assert max(held[10:]) <= 1.1 * held[9]
    assert max(held) <= session.history.budget_bytes
    assert sum(ref() is not None for ref in alive) <= 3
