"""Shorter numbers in a network's layers: what is refused, what is said, what stays exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.core.errors import InputError
from engine.core.jobs import silent
from engine.core.requests import MaskRequest, ReconRequest
from engine.core.types import ArrayReader, KSpaceSeries
from engine.models import MODELS
from engine.reconstruction import precision
from engine.reconstruction.plan import reconstruct
from engine.sampling import make_mask

SHAPE = (1, 4, 3, 40, 36)


@pytest.fixture
def series():
    rng = np.random.default_rng(0)
    return KSpaceSeries(reader=ArrayReader(rng.standard_normal(SHAPE) + 1j * rng.standard_normal(SHAPE)))


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "net.safetensors"
    spec = MODELS.get("jotlasnet")
    save_file(spec.build(spec.presets["small"]).state_dict(), path)
    return str(path)


def run(series, weights, kind, method="jotlasnet"):
    mask = make_mask(MaskRequest("equispaced", 2.0, 12), SHAPE[1], *SHAPE[-2:])
    return reconstruct(ReconRequest(series, method, mask, weights, device="cpu", precision=kind), silent())


def test_bfloat16_is_near_and_said(series, weights):
    exact, short = (run(series, weights, kind) for kind in ("float32", "bfloat16"))
    assert short.image.dtype == np.complex64
    difference = np.linalg.norm(short.image - exact.image) / np.linalg.norm(exact.image)
    assert 0 < difference < 0.05
    assert (exact.provenance["precision"], short.provenance["precision"]) == ("float32", "bfloat16")
    assert any("layers computed in bfloat16" in note for note in short.notes)
    assert not any("bfloat16" in note for note in exact.notes)


def test_what_cannot_be_is_refused(series, weights):
    with pytest.raises(InputError, match=r"unknown precision 'half' \(expected float32, bfloat16, float16\)"):
        run(series, weights, "half")
    with pytest.raises(InputError, match="float16 is for CUDA devices") as caught:
        run(series, weights, "float16")
    assert "bfloat16" in caught.value.hint
    with pytest.raises(InputError, match=r"cg_sense computes in float32 \(found bfloat16\)"):
        run(series, None, "bfloat16", "cg_sense")


def test_a_processor_without_bfloat16_is_named(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda _: False)
    assert precision.note("bfloat16", cpu) == ("layers computed in bfloat16, which this processor does not speed up",)
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda _: True)
    assert precision.note("bfloat16", cpu) == ("layers computed in bfloat16",)
    assert precision.note("float32", cpu) == ()


def test_the_processor_is_asked(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert not precision.has_fast_bfloat16(torch.device("cpu"))
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    assert precision.has_fast_bfloat16(torch.device("cpu"))
    assert not precision.has_fast_bfloat16(torch.device("mps"))
