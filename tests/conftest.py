"""Shared fixtures: a seed, the shared folder, tiny problems."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

if os.environ.get("MYOSCOPE_BLOCK_QT"):
    # The engine's tests run as on a machine without Qt: importing it is an error.
    for blocked in ("PySide6", "shiboken6", "pyqtgraph", "qtawesome", "pytestqt.qt_compat"):
        sys.modules[blocked] = None
else:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


def pytest_addoption(parser, pluginmanager):
    """Take pytest-qt out where Qt is blocked: it would import Qt before the first test."""
    if not os.environ.get("MYOSCOPE_BLOCK_QT"):
        return
    plugin = pluginmanager.get_plugin("pytest-qt")
    if plugin is None:
        parser.addini("qt_api", "of pytest-qt, which is not here")
    else:
        pluginmanager.unregister(plugin)


def pytest_collection_modifyitems(items):
    """Skip, with the reason, what this machine cannot run."""
    has_cuda = False
    if any("cuda" in item.keywords for item in items):
        import torch

        has_cuda = torch.cuda.is_available()
    for item in items:
        if "shared" in item.keywords and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason=f"{SHARED} is not there: golden vectors and real data cannot be checked"))
        if "cuda" in item.keywords and not has_cuda:
            item.add_marker(pytest.mark.skip(reason="no CUDA device on this machine"))


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator with a fixed seed."""
    return np.random.default_rng(20261120)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with golden vectors and real data (mark the test ``shared``)."""
    return SHARED
