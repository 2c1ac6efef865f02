"""Myoscope's engine: everything the window does, without a window.

Axes, units and errors are defined in :mod:`engine.core`; :mod:`engine.api` is the only surface the window calls.
Importing this package, or ``engine.api``, loads neither torch nor Qt.
"""

__version__ = "0.1.0"
