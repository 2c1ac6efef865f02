"""The report on the machine comes whatever state the machine is in."""

import subprocess

import pytest

from engine.reconstruction import doctor


@pytest.mark.parametrize("failure", [subprocess.TimeoutExpired("nvidia-smi", 10), PermissionError("nvidia-smi")])
def test_a_driver_that_hangs_is_reported_and_not_raised(monkeypatch, failure):
    real = subprocess.run

    def run(command, **options):
        if command[0] == "nvidia-smi":
            raise failure
        return real(command, **options)

    monkeypatch.setattr(doctor.shutil, "which", lambda name: name)
    monkeypatch.setattr(doctor.subprocess, "run", run)
    assert doctor.doctor().devices["driver"] == "does not answer"
