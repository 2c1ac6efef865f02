"""Devices are chosen and their failures translated."""

from __future__ import annotations

import sys

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
