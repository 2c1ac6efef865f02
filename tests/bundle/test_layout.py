"""Guards of the house: what must not be imported, what must not exist, what must be so many lines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

HEAVY = {"engine.api": ("torch", "PySide6", "scipy", "napari"), "app.main_window": ("torch", "scipy", "napari")}


@pytest.mark.parametrize("module", HEAVY)
def test_import_stays_light(module):
    code = f"import sys, {module}; print([m for m in {HEAVY[module]!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.strip() == "[]"


def test_command_line_loads_no_qt():
    code = (
        "import sys; from app.__main__ import main; main(['masks', '--json']); "
        "print('PySide6' in sys.modules, 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.strip().splitlines()[-1] == "False False"


def test_packaging_folder_is_no_package():
    assert not (ROOT / "packaging" / "__init__.py").exists()
    assert not (ROOT / "resources" / "__init__.py").exists()
    import packaging

    assert Path(packaging.__file__).parent != ROOT / "packaging"


def test_emitting_signals_keeps_true_alive():
    """PySide6 6.12.0 on Python 3.11 drops a reference to ``True`` with each emit until the interpreter aborts."""
    code = """
import sys
from PySide6.QtCore import QObject, Signal
class Source(QObject):
    fired = Signal(int)
source = Source()
before = sys.getrefcount(True)
for i in range(300):
    source.fired.emit(i)
print(sys.getrefcount(True) - before)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert abs(int(result.stdout)) < 20


def sources():
    return [p for folder in ("engine", "app") for p in (ROOT / folder).rglob("*.py")]


def test_files_stay_short():
    lengths = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in sources()}
    assert {name: n for name, n in lengths.items() if n > 500} == {}


def test_everything_in_resources_is_data():
    assert list((ROOT / "resources").rglob("*.py")) == []


def test_samples_stay_small():
    total = sum(p.stat().st_size for p in (ROOT / "resources" / "samples").rglob("*") if p.is_file())
    assert 0 < total <= 12 * 2**20


@pytest.mark.slow
def test_the_engine_is_tested_with_qt_blocked():
    """pytest's own Qt plugin would import Qt before the first test; the block takes it out."""
    environment = {**os.environ, "MYOSCOPE_BLOCK_QT": "1"}
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/engine/core/test_jobs.py"]
    job = subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert job.returncode == 0, job.stdout + job.stderr
    probe = "import tests.conftest, PySide6"
    job = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "PySide6" in job.stderr
    assert job.returncode == 1
