"""A long day in small: open, reconstruct, edit, undo, remove, close, again and again; nothing that was closed stays."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np

from app.display.scene import CACHE
from app.document.memory import arrays_of
from engine.core.requests import MaskRequest
from engine.core.types import ArrayReader
from tests.app.stand_in import kspace

CYCLES, WARM = 30, 10


def fresh():
    """Return a series in memory of its own."""
    base = kspace()
    return replace(base, reader=ArrayReader(np.array(base.reader.array)))


def test_what_was_closed_leaves_the_memory(window, engine, qtbot):
    session, model = window.session, window.panels.methods.model
    model.set_ticked(["cg_sense", "zero_filled"])
    # Room for what two closed series hold.
    series_bytes = sum(arrays_of(fresh()).values())
    session.set_budget(6 * series_bytes)
    opened: list[weakref.ref] = []
    made: list[weakref.ref] = []
    held: list[int] = []

    def idle():
        return not window.runner.active() and not window.sampling.pending

    for cycle in range(CYCLES):
        case = session.new_case(fresh(), f"series {cycle}")
        key = case.key
        opened.append(weakref.ref(case.data.reader))
        session.insert(case)
        del case
        qtbot.waitUntil(lambda: session.current.mask is not None and idle())
        window.reconstruct.run()
        qtbot.waitUntil(lambda: len(session.current.results) == 2 and idle())
        made.append(weakref.ref(session.current.results[0].reconstruction.image.base))
        window.sampling.set_request(MaskRequest("equispaced", 4.0, 8, cycle))
        qtbot.waitUntil(idle)
        window.reconstruct.run()
        qtbot.waitUntil(idle)
        session.undo()
        assert session.current.key == key
        session.remove_results(key, "remove", session.current.results[0].key)
        qtbot.waitUntil(idle)
        window.files.close_current()
        qtbot.waitUntil(idle)
        # What the stand-in engine keeps for other tests.
        engine.requests.clear()
        engine.calls.clear()
        gc.collect()
        held.append(session.history.bytes_beside(session.state) + CACHE.bytes)
    assert session.history.bytes_beside(session.state) <= session.history.budget_bytes
    assert max(held[WARM:]) <= 1.1 * max(held[:WARM]), f"it grows: {held}"
    alive = [sum(one() is not None for one in refs) for refs in (opened, made)]
    # The budget keeps a few, and nothing else keeps any.
    kept = len({place[1] for step in session.history.steps for place in step.patch if place[0] == "cases"})
    assert alive[0] <= kept, f"{alive[0]} series are there, undo keeps {kept}"
    assert kept < CYCLES / 3
