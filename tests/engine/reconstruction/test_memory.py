"""Memory told beforehand against memory taken, in fresh processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.core import device as devices
from engine.core.errors import DeviceMemoryError
from engine.core.jobs import silent
from engine.core.requests import ReconRequest
from engine.core.types import ArrayReader, KSpaceSeries
from engine.models import MODELS
from engine.models.parts.forms import plain_forms
from engine.reconstruction import memory
from engine.reconstruction.memory import LiveBytes, check_fits, estimate
from engine.reconstruction.plan import reconstruct

ROOT = Path(__file__).resolve().parents[3]
SIZES = (8, 8, 160, 256)
FULL = np.ones((1, SIZES[2], 1), dtype=bool)

# A first, small run loads the libraries; then the kernel is asked for the largest resident set from here on.
MEASURE = """
import sys, numpy as np, torch
torch.set_num_threads(1)
from engine.core.jobs import silent
from engine.core.requests import MaskRequest, ReconRequest
from engine.core.types import ArrayReader, KSpaceSeries
from engine.reconstruction.plan import reconstruct
from engine.sampling import make_mask

method, weights, *sizes = sys.argv[1:]

def status(name):
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith(name))

def run(frames, coils, height, width):
    rng = np.random.default_rng(0)
    kspace = rng.standard_normal((1, frames, coils, height, 2 * width), dtype=np.float32).view(np.complex64)
    series = KSpaceSeries(reader=ArrayReader(kspace))
    mask = make_mask(MaskRequest("equispaced", 4.0, 24), frames, height, width)
    before = status("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")
    request = ReconRequest(series, method, mask, weights or None, device="cpu", reference=False)
    reconstruct(request, silent())
    return status("VmHWM") - before

run(int(sizes[0]), 2, 48, 48)
print(run(*map(int, sizes)))
"""


@pytest.fixture
def weights(tmp_path):
    def make(name, preset="small"):
        spec = MODELS.get(name)
        if not spec.trainable:
            return ""
        torch.manual_seed(0)
        path = tmp_path / f"{name}.safetensors"
        save_file({k: v.contiguous() for k, v in spec.build(spec.presets[preset]).state_dict().items()}, path)
        return str(path)

    return make


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the largest resident set can only be reset on Linux")
@pytest.mark.parametrize("name", ["cg_sense", "jotlasnet", "crunet_mr", "vn_unet", "recurrent_varnet"])
def test_the_estimate_is_within_thirty_percent_of_what_a_run_takes(name, weights):
    spec = MODELS.get(name)
    config = spec.presets.get("small") or next(iter(spec.presets.values()))
    sizes = (spec.frames_of(config) or SIZES[0], *SIZES[1:])
    told = estimate(spec, config, sizes)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, name, weights(name), *map(str, sizes)],
        capture_output=True, text=True, check=True, cwd=ROOT, env={"OMP_NUM_THREADS": "1", "PATH": ""},
    )  # fmt: skip
    taken = float(done.stdout)
    assert 0.7 * taken < told < 1.3 * taken, f"{name}: told {told:.0f} MiB, took {taken:.0f} MiB"


@pytest.mark.slow
def test_estimates_grow_with_the_problem_and_the_network():
    spec = MODELS.get("dc_cnn")
    small = estimate(spec, spec.presets["small"], (4, 4, 96, 96))
    assert estimate(spec, spec.presets["small"], (16, 4, 96, 96)) > 1.5 * (small - memory.LIBRARIES_MIB)
    assert estimate(spec, spec.presets["paper"], (4, 4, 96, 96)) > small
    huge = MODELS.get("vn_unet")
    parameters_mib = 4 * huge.parameters("paper") / 2**20
    assert estimate(huge, huge.presets["paper"], (9, 10, 144, 512)) > parameters_mib


def test_masks_that_move_need_gram_matrices_for_each_group_of_frames():
    spec = MODELS.get("cg_sense")
    config = spec.presets["default"]
    alike = np.zeros((12, 96, 1), dtype=bool)
    alike[:, ::3] = True
    moving = alike.copy()
    moving[::2] = np.roll(moving[::2], 1, axis=1)
    sizes = (12, 4, 96, 96)
    assert estimate(spec, config, sizes, moving) > estimate(spec, config, sizes, alike[:1]) + 5


@pytest.mark.slow
def test_methods_that_ask_for_values_are_still_foreseen():
    for name in ("l1_wavelet", "low_rank_sparse", "grappa", "zero_filled"):
        spec = MODELS.get(name)
        assert estimate(spec, next(iter(spec.presets.values())), (3, 4, 64, 64)) > memory.LIBRARIES_MIB


@pytest.mark.slow
def test_the_plain_form_of_a_network_is_told_apart():
    spec = MODELS.get("crnn_mri")
    arguments = (spec, spec.presets["small"], (8, 8, 96, 96))
    fast = estimate(*arguments)
    with plain_forms():
        assert estimate(*arguments) != fast


def test_live_bytes_follow_views_and_deaths():
    live = LiveBytes("cpu")

    def watch(value):
        live.watch(None, (), value)
        return value

    first = watch(torch.empty(1000))
    view = watch(first[10:])
    assert live.live == 4000
    watch([torch.empty(500), first])
    assert (live.live, live.peak) == (4000, 6000)
    del first
    assert live.live == 4000
    del view
    assert live.live == 0


@pytest.mark.slow
def test_what_does_not_fit_is_refused_before_it_starts(monkeypatch, weights):
    monkeypatch.setattr(devices, "memory", lambda _: devices.Memory(40.0, 100.0))
    series = KSpaceSeries(reader=ArrayReader(np.ones((1, 6, 4, 96, 128), dtype=np.complex64)))
    with pytest.raises(
        DeviceMemoryError, match=r"CRUNet-MR does not fit .*at most 40 MiB, which are free / found about \d+ MiB"
    ) as caught:
        reconstruct(ReconRequest(series, "crunet_mr", weights=weights("crunet_mr"), device="cpu"), silent())
    assert "fewer frames" in caught.value.hint
    assert "smaller preset" in caught.value.hint
    assert "--device cpu" not in caught.value.hint


def test_nothing_is_estimated_where_plenty_is_free_or_nothing_is_known(monkeypatch):
    def fail(*_):
        raise AssertionError("estimated")

    monkeypatch.setattr(memory, "estimate", fail)
    spec = MODELS.get("jotlasnet")
    for free in (64_000.0, 0.0):
        monkeypatch.setattr(devices, "memory", lambda _, free=free: devices.Memory(free, 64_000.0))
        check_fits(spec, spec.presets["small"], SIZES, FULL, torch.device("cpu"))
    monkeypatch.setattr(devices, "memory", lambda _: devices.Memory(100.0, 64_000.0))
    with pytest.raises(AssertionError, match="estimated"):
        check_fits(spec, spec.presets["small"], SIZES, FULL, torch.device("cpu"))


def test_what_cannot_be_told_is_not_refused(monkeypatch):
    monkeypatch.setattr(devices, "memory", lambda _: devices.Memory(1.0, 64_000.0))
    monkeypatch.setattr(memory, "estimate", lambda *_: None)
    check_fits(MODELS.get("grappa"), None, SIZES, FULL, torch.device("cpu"))


def test_a_device_that_cannot_be_walked_is_not_told(monkeypatch):
    def fail(*_):
        raise RuntimeError("not linked with support for it")

    monkeypatch.setattr(memory, "_walk", fail)
    spec = MODELS.get("dc_cnn")
    assert estimate(spec, spec.presets["small"], (2, 2, 31, 33)) is None
