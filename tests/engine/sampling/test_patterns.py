"""What every pattern promises: driven by the registry, so that a new pattern is checked without a line here."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from engine.core.requests import MaskRequest
from engine.sampling import MASKS, make_mask
from engine.sampling.acs import centre_lines

NAMES = MASKS.names()
RANDOM = [name for name in NAMES if MASKS.get(name).uses_seed]
SIZES = [(5, 51, 36), (4, 64, 48), (1, 33, 29)]


def make(name, acceleration=4.0, acs=6, seed=7, per_frame=None, shape=(5, 51, 36), **options):
    return make_mask(MaskRequest(name, acceleration, acs, seed, per_frame, options), *shape)


def test_every_pattern_of_the_command_line_is_there():
    lines = "equispaced random gaussian variable_density vista kt_uniform kt_gaussian full"
    plane = "pseudo_radial kt_radial radial2d random2d poisson"
    assert set(lines.split()) | set(plane.split()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("per_frame", [None, True, False])
def test_shape_says_what_is_shared(name, shape, per_frame):
    mask = make(name, shape=shape, per_frame=per_frame)
    spec = MASKS.get(name)
    frames, ky, kx = shape
    own = spec.per_frame if per_frame is None else per_frame
    assert mask.lines.dtype == bool
    assert mask.lines.shape == (frames if own else 1, ky, 1 if spec.cartesian_1d else kx)
    assert mask.is_cartesian_1d == spec.cartesian_1d


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SIZES)
def test_every_frame_samples_something(name, shape):
    for acceleration in (2.0, 8.0, 25.0):
        lines = make(name, acceleration, acs=0, shape=shape, per_frame=True).lines
        assert lines.any(axis=(1, 2)).all()


@pytest.mark.parametrize("name", NAMES)
def test_same_request_same_mask(name):
    assert np.array_equal(make(name).lines, make(name).lines)


@pytest.mark.parametrize("name", RANDOM)
def test_another_seed_another_mask(name):
    assert not np.array_equal(make(name, per_frame=True).lines, make(name, seed=8, per_frame=True).lines)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "full"])
def test_per_frame_varies_from_frame_to_frame(name):
    lines = make(name, shape=(4, 64, 48), per_frame=True).lines
    for frame in range(1, 4):
        assert not np.array_equal(lines[frame], lines[frame - 1])


@pytest.mark.parametrize("name", [name for name in NAMES if MASKS.get(name).uses_acs])
@pytest.mark.parametrize(("ky", "kx", "acs"), [(64, 48, 8), (51, 37, 7), (51, 36, 8), (64, 49, 7), (24, 30, 24)])
def test_acs_is_fully_measured_and_recorded(name, ky, kx, acs):
    mask = make(name, 6.0, acs, shape=(3, ky, kx), per_frame=True)
    rows = slice(*mask.acs)
    assert rows == centre_lines(ky, acs)
    assert ky // 2 in range(rows.start, rows.stop)
    columns = centre_lines(kx, acs) if mask.lines.shape[-1] > 1 else slice(None)
    assert mask.lines[:, rows, columns].all()


@pytest.mark.parametrize("name", NAMES)
def test_record_tells_what_was_asked(name):
    mask = make(name, acs=0)
    spec = MASKS.get(name)
    assert mask.pattern == name
    assert mask.nominal_acceleration == (4.0 if spec.uses_acceleration else None)
    assert mask.seed == (7 if spec.uses_seed else None)
    assert mask.acs is None


OUTSIDE_EXACT = ["random", "gaussian", "variable_density", "random2d", "poisson"]


@pytest.mark.parametrize("name", OUTSIDE_EXACT)
@pytest.mark.parametrize("acceleration", [2.0, 4.0, 4.5, 12.0])
@pytest.mark.parametrize("acs", [0, 7, 12])
def test_budget_outside_the_acs_is_exact(name, acceleration, acs):
    lines = make(name, acceleration, acs, shape=(3, 63, 40), per_frame=True).lines.copy()
    all_samples = 63 * lines.shape[-1]
    if lines.shape[-1] > 1:
        lines[:, centre_lines(63, acs), centre_lines(40, acs)] = False
        all_samples -= acs * acs
    else:
        lines[:, centre_lines(63, acs)] = False
        all_samples -= acs
    assert (lines.sum(axis=(1, 2)) == int(all_samples / acceleration + 0.5)).all()


def test_effective_acceleration_counts_the_acs():
    # 204 lines, 24 of them ACS: CMRxRecon's own masks.
    for nominal, lines in ((4.0, 69), (8.0, 47), (10.0, 42), (24.0, 32)):
        mask = make_mask(MaskRequest("equispaced", nominal, 24), 12, 204, 448)
        assert np.count_nonzero(mask.lines) == lines
        assert mask.effective_acceleration == pytest.approx(204 / lines, abs=1e-12)


# First 16 hexadecimal digits of the SHA-256 of the packed bits: the same on every machine, or the promise of seeds is broken.
PINNED = {
    "equispaced": "058985c622e2f4ef",
    "full": "c40327318d668e66",
    "gaussian": "70eedeb4392f53f1",
    "kt_gaussian": "7aef975fa889bce8",
    "kt_radial": "2760c46db1fc349a",
    "kt_uniform": "058985c622e2f4ef",
    "poisson": "7f6881766662ceac",
    "pseudo_radial": "89e9715d864403bb",
    "radial2d": "9f6b3f08f4d2f0c0",
    "random": "b288aa2d68e43ab1",
    "random2d": "545bdd5cf1f7be53",
    "variable_density": "7981dabd43c77540",
    "vista": "acae507ddb0e1cb3",
}


@pytest.mark.parametrize("name", NAMES)
def test_bits_are_the_same_on_every_machine(name):
    assert name in PINNED, "pin the new pattern's bits"
    bits = np.packbits(make(name, per_frame=True).lines).tobytes()
    assert hashlib.sha256(bits).hexdigest()[:16] == PINNED[name]
