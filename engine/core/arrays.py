"""Types of arrays in public records, and how they are made read-only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Complex = NDArray[np.complex64]
Float = NDArray[np.float32]
Bool = NDArray[np.bool_]


def frozen(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return ``array`` as a read-only view of ``dtype`` (copied only when the type differs)."""
    view = np.asarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view
