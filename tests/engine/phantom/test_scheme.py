"""Schemes are read as written, and played at the right times."""

from __future__ import annotations

import pytest

from engine.core.errors import InputError
from engine.phantom.scheme import Scheme, parse_scheme


@pytest.mark.parametrize(
    ("text", "images", "rest"),
    [
        ("5(3)3", (5, 3), (3,)),
        ("4(1)3(1)2", (4, 3, 2), (1, 1)),
        ("3(3)3(3)5", (3, 3, 5), (3, 3)),
        (" 5 (3) 3 ", (5, 3), (3,)),
        ("8", (8,), ()),
        ("5(0)3", (5, 3), (0,)),
    ],
)
def test_parse(text, images, rest):
    scheme = parse_scheme(text)
    assert (scheme.images, scheme.rest) == (images, rest)
    assert scheme.count == sum(images)
    assert parse_scheme(str(scheme)) == scheme


@pytest.mark.parametrize("text", ["", "5(3)", "(3)3", "5-3-3", "5(3)3(", "five", "5(3)(3)3", "-5(3)3", "5(3)3x", "5(1.5)3"])
def test_nonsense_is_refused(text):
    with pytest.raises(InputError, match=r"cannot be read \(expected images, then rest beats"):
        parse_scheme(text)


@pytest.mark.parametrize("text", ["0(3)3", "5(3)0", "60(3)10"])
def test_impossible_schemes_are_refused(text):
    with pytest.raises(InputError, match=r"cannot be played \(expected 1 to 64 images"):
        parse_scheme(text)


def test_times_are_in_the_order_of_acquisition():
    times = parse_scheme("5(3)3").times_ms(900.0)
    assert times == (120, 1020, 1920, 2820, 3720, 200, 1100, 2000)
    assert Scheme((4, 3, 2), (1, 1)).times_ms(1000.0) == (120, 1120, 2120, 3120, 200, 1200, 2200, 280, 1280)
