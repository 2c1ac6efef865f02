"""Myoscope's engine: everything the window does, without a window.

Axes, units and errors are defined in :mod:`engine.core`; :mod:`engine.api` is the only surface the window calls.
Importing this package, or ``engine.api``, loads neither torch nor Qt.
"""

import os

__version__ = "0.1.0"

# Large torch tensors on huge pages: 1.3 to 2 times the speed of every large operation on a CPU. Read when torch is loaded.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
