"""The sign that is left open, and slices that share their times."""

from __future__ import annotations

import numpy as np

from engine.relaxometry.contract import MODELS
from engine.relaxometry.polarity import orders, orient
from engine.relaxometry.solution import Solution

MOLLI, T2 = MODELS.get("molli3"), MODELS.get("t2prep2")


def solution(c0, c1, polarity=2):
    one = np.ones(1)
    return Solution(c0 * one, c1 * one, 800 * one, one, one, np.array([polarity], np.uint8), 0 * one, one > 2, tuple([one] * 6))


def test_open_sign_is_that_of_a_recovery_or_a_decay():
    turned = orient(solution(-1.0, 1.9), MOLLI, "magnitude", 8)
    assert (turned.c0[0], turned.c1[0], int(turned.polarity[0])) == (1.0, -1.9, 6)
    assert (turned.cov[4][0], turned.cov[5][0], turned.cov[2][0]) == (-1.0, -1.0, 1.0)
    assert orient(solution(1.0, -1.9), MOLLI, "magnitude", 8).polarity[0] == 2
    half = orient(solution(-1.0, 1.9), MOLLI, "complex", 8)
    assert (half.c1[0], half.phase[0]) == (-1.9, np.pi)
    assert orient(solution(0.0, -1.0), T2, "complex", 3).c1[0] == 1.0
    assert orient(solution(-1.0, 1.9), MOLLI, "signed", 8).c1[0] == 1.9


def test_slices_of_the_same_times_go_together():
    rows = np.array([[100.0, 900.0, 180.0], [120.0, 920.0, 200.0], [100.0, 900.0, 180.0]])
    found = {tuple(members): (list(times), list(order)) for members, times, order in orders(rows)}
    assert found == {(0, 2): ([100.0, 180.0, 900.0], [0, 2, 1]), (1,): ([120.0, 200.0, 920.0], [0, 2, 1])}
