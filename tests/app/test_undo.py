"""Undo and redo of every command."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QUndoStack

from app.undo import ChangeView, RemoveCase, ReplaceCase, RestoreReplaced, SetResults
from tests.app.stand_in import kspace
from tests.app.test_session import mask, recon


@pytest.fixture
def stack(qapp):
    return QUndoStack()


@pytest.fixture
def case(session):
    made = session.new_case(kspace(), "tiny")
    session.insert_case(made)
    session.set_mask(made, None, mask(4))
    return made


def test_one_drag_of_the_window_is_one_step_two_are_two(stack, session, case):
    for drag, high in ((0, 1.0), (0, 2.0), (1, 3.0), (1, 4.0)):
        stack.push(ChangeView(session, case, "window", drag, window=(0.0, high)))
    assert stack.count() == 2
    stack.undo()
    assert case.view.window == (0.0, 2.0)
    stack.undo()
    assert case.view.window is None
    stack.redo()
    assert case.view.window == (0.0, 2.0)


def test_other_fields_do_not_merge(stack, session, case):
    stack.push(ChangeView(session, case, "window", window=(0.0, 1.0)))
    stack.push(ChangeView(session, case, "profile", profile=(0.0, 0.0, 1.0, 1.0)))
    stack.push(ChangeView(session, case, "percentile", region_percentile=80.0))
    stack.push(ChangeView(session, case, "rotate", quarter_turns=1))
    stack.push(ChangeView(session, case, "rotate", quarter_turns=2))
    assert stack.count() == 5
    for _ in range(5):
        stack.undo()
    assert (case.view.window, case.view.profile, case.view.region_percentile, case.view.quarter_turns) == (None, None, 90.0, 0)


def test_undo_touches_only_its_own_field(stack, session, case):
    stack.push(ChangeView(session, case, "window", window=(0.0, 1.0)))
    session.set_view(case, type(case.view)(frame=3, window=(0.0, 1.0)))
    stack.undo()
    assert case.view.frame == 3


def test_a_removed_result_comes_back_where_it_stood(stack, session, case):
    for method in ("a", "b", "c"):
        session.add_result(case, method, method, recon(case.mask, method=method))
    kept = tuple(r for r in case.results if r.method != "b")
    stack.push(SetResults(session, case, "remove b", kept))
    assert [r.method for r in case.results] == ["a", "c"]
    session.add_result(case, "d", "d", recon(case.mask, method="d"))
    stack.undo()
    assert [r.method for r in case.results] == ["a", "b", "c", "d"]
    stack.redo()
    assert [r.method for r in case.results] == ["a", "c", "d"]


def test_a_replaced_result_comes_back_beside_the_new_one(stack, session, case):
    session.add_result(case, "a", "A", recon(case.mask, method="a"))
    session.set_mask(case, None, mask(8))
    replaced = session.add_result(case, "a", "A", recon(case.mask, method="a"))
    stack.push(RestoreReplaced(session, case, "replace A", replaced))
    assert len(case.results) == 1
    stack.undo()
    assert len(case.results) == 2
    stack.redo()
    assert len(case.results) == 1
    assert case.results[0].mask is case.mask


def test_a_removed_series_comes_back_with_its_results(stack, session, case):
    session.add_result(case, "a", "A", recon(case.mask, method="a"))
    other = session.new_case(kspace(), "other")
    session.insert_case(other)
    stack.push(RemoveCase(session, case))
    assert session.cases == (other,)
    stack.undo()
    assert session.cases == (case, other)
    assert session.current is case
    assert case.results


@pytest.mark.parametrize("command", ["removed", "replaced"])
def test_slices_that_joined_a_result_after_undo_come_back_with_it(stack, session, case, command):
    first = case.mask
    session.add_result(case, "a", "A", recon(first, (0,), method="a"))
    if command == "removed":
        stack.push(SetResults(session, case, "remove A", ()))
    else:
        replaced = session.add_result(case, "a", "A", recon(mask(8), (0,), method="a"))
        stack.push(RestoreReplaced(session, case, "replace A", replaced))
    stack.undo()
    session.add_result(case, "a", "A", recon(first, (1,), method="a"))
    stack.redo()
    assert not any(r.mask is first for r in case.results)
    stack.undo()
    assert [r.slices for r in case.results if r.mask is first] == [(0, 1)]


def test_a_series_that_took_the_place_of_another_gives_it_back(stack, session, case):
    other, made = session.new_case(kspace(), "other"), session.new_case(kspace(), "made")
    session.insert_case(other)
    stack.push(ReplaceCase(session, "simulate coils", case, made))
    assert (session.cases, session.current) == ((made, other), made)
    stack.undo()
    assert (session.cases, session.current) == ((case, other), case)
    stack.redo()
    assert session.cases == (made, other)
