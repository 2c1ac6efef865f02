"""Impossible requests are refused in words."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from engine.core.errors import InputError, ShapeError, UnknownNameError
from engine.core.requests import MaskRequest
from engine.sampling import MASKS, MaskSpec, Option, contract, make_mask

LINES = [name for name in MASKS.names() if MASKS.get(name).uses_acceleration]


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("acceleration", [0.0, -4.0, 0.5, math.nan, math.inf, 65.0])
def test_impossible_acceleration(name, acceleration):
    with pytest.raises(InputError, match=r"acceleration R = \S+ is not possible \(expected 1 to 64"):
        make_mask(MaskRequest(name, acceleration, 0), 4, 64, 48)


@pytest.mark.parametrize("acs", [-1, 65])
def test_acs_wider_than_ky(acs):
    with pytest.raises(InputError, match="ACS lines do not fit"):
        make_mask(MaskRequest("equispaced", 4, acs), 4, 64, 48)


@pytest.mark.parametrize("name", ["kt_radial", "radial2d", "random2d", "poisson"])
def test_acs_square_wider_than_kx(name):
    with pytest.raises(InputError, match="ACS square of 50 does not fit"):
        make_mask(MaskRequest(name, 4, 50), 4, 64, 48)


def test_patterns_without_acs_do_not_mind_its_width():
    assert make_mask(MaskRequest("vista", 4, 24), 4, 16, 16).acs is None
    assert make_mask(MaskRequest("pseudo_radial", 0.0, 24), 4, 16, 16).nominal_acceleration is None


def test_unknown_pattern_names_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown mask pattern 'equispace'") as caught:
        make_mask(MaskRequest("equispace"), 4, 64, 48)
    assert "equispaced" in caught.value.hint


def test_unknown_option():
    with pytest.raises(InputError, match="pattern vista has no option 'lines'"):
        make_mask(MaskRequest("vista", 4, options={"lines": 3}), 4, 64, 48)


@pytest.mark.parametrize("value", [0, 1001, 2.5, "many", None, math.nan])
def test_option_out_of_range(value):
    with pytest.raises(InputError, match=r"option lines = .* is not possible \(expected an integer from 1 to 1000\)"):
        make_mask(MaskRequest("pseudo_radial", options={"lines": value}), 4, 64, 48)


@pytest.mark.parametrize("value", [math.inf, 1e308, -1])
@pytest.mark.parametrize(("pattern", "option"), [("equispaced", "offset"), ("kt_uniform", "shift")])
def test_shift_beyond_any_matrix(pattern, option, value):
    with pytest.raises(InputError, match=rf"option {option} = .* is not possible \(expected an integer from 0 to 10000\)"):
        make_mask(MaskRequest(pattern, 4, 0, options={option: value}), 4, 64, 48)


@pytest.mark.parametrize("kind", [int, float])
def test_infinity_is_no_value_of_an_unbounded_option(kind):
    spec = MaskSpec("plain", "Plain", "", lambda *_, **__: np.ones((1, 4, 1), bool), options=(Option("turns", kind(1), "turns"),))
    with pytest.raises(InputError, match="option turns = 'inf' is not possible"):
        contract._options(spec, {"turns": "inf"})


def test_switch_takes_true_or_false_only():
    with pytest.raises(InputError, match=r"option corners = 3 is not possible \(expected true or false\)"):
        make_mask(MaskRequest("poisson", 4, 8, options={"corners": 3}), 1, 64, 48)


def test_options_may_come_as_text():
    given = make_mask(MaskRequest("pseudo_radial", options={"lines": "5"}), 4, 64, 48)
    assert np.array_equal(given.lines, make_mask(MaskRequest("pseudo_radial", options={"lines": 5}), 4, 64, 48).lines)


def test_negative_seed():
    with pytest.raises(InputError, match="seed -1 is not possible"):
        make_mask(MaskRequest("random", 4, 4, seed=-1), 4, 64, 48)


def test_empty_matrix():
    with pytest.raises(InputError, match="a mask of 0 frames x 64 x 48 is empty"):
        make_mask(MaskRequest("random", 4, 4), 0, 64, 48)


def test_poisson_disc_needs_room():
    with pytest.raises(InputError, match="needs 3072 samples") as caught:
        make_mask(MaskRequest("poisson", 1, 0), 1, 64, 48)
    assert "--mask-option corners=true" in caught.value.hint
    assert make_mask(MaskRequest("poisson", 1, 0, options={"corners": True}), 1, 64, 48).lines.all()


# Without the outermost line; and without what lies on or outside the inscribed ellipse.
@pytest.mark.parametrize(("pattern", "count", "possible"), [("variable_density", 64, 63), ("random2d", 3072, 2393)])
def test_budget_beyond_the_density_is_refused(pattern, count, possible):
    with pytest.raises(InputError, match=rf"R = 1 needs {count} samples \(expected at most {possible}, those of a density above 0"):
        make_mask(MaskRequest(pattern, 1, 0, options={"floor": 0.0}), 1, 64, 48)
    assert make_mask(MaskRequest(pattern, 1, 0), 1, 64, 48).lines.all()


def test_mask_of_another_matrix_is_refused():
    mask = make_mask(MaskRequest("equispaced", 4, 8), 4, 64, 48)
    with pytest.raises(ShapeError, match="the mask does not fit the data"):
        mask.check_fits((1, 4, 2, 60, 48))


def test_only_numpy_is_loaded():
    code = (
        "import sys; from engine.sampling import MASKS; MASKS.names(); import engine.sampling.psf;"
        "bad = {'torch', 'scipy', 'numba', 'h5py'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
