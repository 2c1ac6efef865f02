"""Devices are chosen and their failures translated."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest
import torch

from engine.core import device
from engine.core.errors import DeviceMemoryError, InputError


def test_auto_is_a_device_that_works():
    chosen = device.choose("auto")
    assert float(torch.ones(2, device=chosen).sum()) == 2.0
    assert device.label(chosen)


def test_unknown_and_missing_devices_are_refused():
    with pytest.raises(InputError, match="unknown device 'gpu'"):
        device.choose("gpu")
    with pytest.raises(InputError, match="does not exist"):
        device.choose(f"cuda:{torch.cuda.device_count() + 3}")


def test_memory_is_plausible():
    found = device.memory()
    assert 0 < found.free_mib <= found.total_mib


def test_out_of_memory_is_translated_and_other_errors_are_not():
    cpu = torch.device("cpu")
    with pytest.raises(DeviceMemoryError, match="ran out of memory during the test"), device.memory_errors(cpu, "the test"):
        torch.empty(2**50, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="something else"), device.memory_errors(cpu, "the test"):
        raise RuntimeError("something else")


@pytest.mark.skipif(sys.platform != "linux", reason="POSIX tells the free memory on Linux")
def test_memory_is_told_without_psutil(monkeypatch):
    with_library = device.memory()
    monkeypatch.setitem(sys.modules, "psutil", None)
    found = device.memory()
    assert found.total_mib == pytest.approx(with_library.total_mib, rel=0.01)
    assert 0 < found.free_mib <= found.total_mib


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),  # Python's own has no text
        MemoryError("Unable to allocate 8. GiB"),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_every_wording_of_short_memory_is_translated(error):
    with pytest.raises(DeviceMemoryError, match="ran out of memory"), device.memory_errors(torch.device("cpu"), "the test"):
        raise error


def test_memory_is_given_back_before_the_error_is_told():
    held = []

    def work():
        large = torch.ones(1000)
        held.append(weakref.ref(large))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    gc.disable()  # nothing but the translation itself may let go of it
    try:
        with pytest.raises(DeviceMemoryError) as caught, device.memory_errors(torch.device("cpu"), "the test"):
            work()
        assert held[0]() is None
        assert caught.value.__cause__ is not None  # it lives on in the error that is shown
    finally:
        gc.enable()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks the OpenMP of Linux")
def test_waiting_threads_sleep():
    """OpenMP tells how it was set up when torch is loaded: later it reads nothing."""
    code = (
        "import os; os.environ.pop('OMP_WAIT_POLICY', None); os.environ['OMP_DISPLAY_ENV'] = 'VERBOSE';"
        "from engine.core import device; device.use_polite_threads()"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    assert "GOMP_SPINCOUNT = '0'" in told
