"""Myoscope's engine: everything the window does, without a window.

Axes, units and errors are defined in :mod:`engine.core`; :mod:`engine.api` is the only surface the window calls.
Importing this package, or ``engine.api``, loads neither torch nor Qt.
"""

import os

__version__ = "0.1.0"

# Large torch tensors on huge pages; read when torch is loaded. Measured on one Linux core: products, sums and FFTs of 32 MB and
# more take 0.5 to 0.7 of the time, those of 8 to 24 MB 1.3 of it; cg_sense of 12 frames x 10 coils x 192 x 160 takes 0.85.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
