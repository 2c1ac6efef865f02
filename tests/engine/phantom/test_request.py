"""What a phantom can be asked to be, and what it cannot."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.core.errors import InputError
from engine.core.types import Kind
from engine.phantom.request import PhantomRequest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "flow"}, r"unknown phantom 'flow' \(expected cine, molli or t2prep\)"),
        ({"matrix": (8, 160)}, r"matrix cannot be used \(expected ky x kx, each 16 to 1024 / found 8x160\)"),
        ({"matrix": (192,)}, r"matrix cannot be used .*found 192\)"),
        ({"coils": 0}, r"number of coils cannot be used \(expected 1 to 64 / found 0\)"),
        ({"slices": 0}, r"number of slices cannot be used \(expected 1 to 64 / found 0\)"),
        ({"frames": 0}, r"number of frames cannot be used \(expected 1 to 256 / found 0\)"),
        ({"field_t": 7.0}, r"field strength cannot be used \(expected 1.5 to 3 / found 7\)"),
        ({"rr_ms": 100.0}, r"RR interval in ms cannot be used \(expected 400 to 2000 / found 100\)"),
        ({"snr": 0.0}, r"SNR cannot be used \(expected a positive number / found 0\)"),
        ({"snr": float("nan")}, r"SNR cannot be used"),
        ({"seed": -1}, r"seed cannot be used \(expected 0 or more / found -1\)"),
        ({"motion_mm": -1.0}, r"motion in mm cannot be used \(expected 0 to 30 / found -1\)"),
        ({"ordering": "random"}, r"unknown ordering 'random'"),
        (
            {"kind": "t2prep", "analytic": True, "ordering": "centric"},
            r"signal equations know no order of lines \(expected linear / f",
        ),
        ({"kind": "molli", "scheme": "2"}, r"scheme 2 has too few images \(expected at least 3: .* / found 2\)"),
        ({"kind": "molli", "scheme": "1(3)1"}, r"scheme 1\(3\)1 has too few images"),
        ({"fov_mm": (300.0, float("nan"))}, r"field of view in mm cannot be used \(expected 100 to 1000 / found nan\)"),
        ({"fov_mm": (20.0, 300.0)}, r"field of view in mm cannot be used \(expected 100 to 1000 / found 20\)"),
        (
            {"slices": 64, "frames": 256, "matrix": (512, 512)},
            r"phantom is too large \(expected at most 268 million complex values",
        ),
        ({"kind": "molli", "scheme": "5,3,3"}, r"scheme '5,3,3' cannot be read"),
        ({"kind": "molli", "frames": 12}, r"frames does not fit \(expected 8, the scheme 5\(3\)3 has 8 images / found 12\)"),
        ({"kind": "t2prep", "frames": 12}, r"frames does not fit \(expected 3, the 3 echo times make 3 images / found 12\)"),
        ({"kind": "t2prep", "echo_times_ms": (0.0,)}, r"echo times cannot be used \(expected at least two different ones"),
        ({"kind": "t2prep", "echo_times_ms": (0.0, 35.0, 35.0)}, r"echo times cannot be used"),
        ({"kind": "t2prep", "echo_times_ms": (0.0, 900.0)}, r"echo times cannot be used"),
    ],
)
def test_bad_requests_are_refused(options, message):
    with pytest.raises(InputError, match=message) as caught:
        PhantomRequest(**options)
    assert caught.value.hint


def test_frames_that_fit_are_accepted():
    assert PhantomRequest(kind="molli", frames=8).frame_count == 8
    assert PhantomRequest(kind="t2prep", frames=3).frame_count == 3
    assert PhantomRequest(kind=Kind.MOLLI, scheme="4(1)3(1)2").frame_count == 9
    assert PhantomRequest(kind="molli", scheme="1(0)1(0)1").frame_count == 3
    assert PhantomRequest().frame_count == 12


def test_attributes_say_only_what_was_used():
    cine = PhantomRequest(snr=np.inf).as_attributes()
    assert json.loads(json.dumps(cine)) == cine
    assert cine["snr"] == "inf"
    assert not {"scheme", "echo_times_ms", "ordering"} & set(cine)
    assert PhantomRequest(kind="molli").as_attributes()["scheme"] == "5(3)3"
