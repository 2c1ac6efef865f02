"""Colour maps as tables of 256 rows, and values to table rows. Row 0 is reserved for pixels that hold no number."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.resources import path
from engine.core.errors import FormatError, UnknownNameError
from engine.core.types import Float

Table = NDArray[np.uint8]

INVALID: Final = (176, 48, 216)
"""Violet: in none of the maps, so a NaN is never taken for a dark or a bright pixel."""

FILES: Final = ("berlin", "romaO")
MAP_FILES: Final = ("batlow", "vik")
"""For what goes with a relaxation map (spread, residual, difference): row 0 is black there, as in the relaxation map itself."""
NAMES: Final = ("gray", "error", *FILES, *MAP_FILES)


@cache
def table(name: str) -> Table:
    """Return the colours of a map, read-only uint8 (256, 3); row 0 is :data:`INVALID`, rows 1 to 255 are the map.

    ``gray`` is linear, ``error`` is the upper half of berlin (dark to light), the others are files. Row 0 is black for those of
    :data:`MAP_FILES`: neither holds black, and a pixel without a value looks the same in all views of a map.
    """
    if name == "gray":
        colors: NDArray[Any] = np.repeat(np.arange(256)[:, None], 3, axis=1)
    elif name == "error":
        upper = read_table("berlin")[128:].astype(np.float64)
        # berlin's middle is a dark brown: fade it in from black so that "no error" is the background of the pane.
        fade = np.clip(np.linspace(0.0, 8.0, 256), 0.0, 1.0)[:, None]
        rows = np.linspace(0, 127, 256)
        colors = np.stack([np.interp(rows, np.arange(128), upper[:, c]) for c in range(3)], axis=1) * fade
    elif name in FILES or name in MAP_FILES:
        colors = read_table(name)
    else:
        raise UnknownNameError(f"no colour map is called {name!r} (expected one of {', '.join(NAMES)})", "Check the spelling.")
    out = np.empty((256, 3), dtype=np.uint8)
    out[1:] = np.rint(colors)[np.rint(np.linspace(0, 255, 255)).astype(int)]
    out[0] = 0 if name in MAP_FILES else INVALID
    out.flags.writeable = False
    return out


@cache
def packed(name: str) -> NDArray[np.uint32]:
    """Return a map as 256 opaque 0xAARRGGBB words."""
    red, green, blue = table(name).astype(np.uint32).T
    words: NDArray[np.uint32] = np.uint32(0xFF000000) | (red << np.uint32(16)) | (green << np.uint32(8)) | blue
    words.flags.writeable = False
    return words


def to_rows(image: Float, levels: tuple[float, float], *, invalid: bool = True) -> NDArray[np.uint8]:
    """Return the table row of each pixel: 1 at and below ``levels[0]``, 255 at and above ``levels[1]``, 0 where not finite.

    ``invalid=False`` promises that all pixels are finite and saves the test.
    """
    low, high = levels
    scale = 254.0 / (high - low)
    # float32 cannot hold the inverse of a range near its own limits; such data are rare, so they pay for float64.
    dtype = np.float32 if 1e-30 < high - low < 1e30 and abs(low) < 1e30 else np.float64
    with np.errstate(invalid="ignore", over="ignore"):
        rows = np.subtract(image, dtype(low), dtype=dtype)
        rows *= dtype(scale)
    np.clip(rows, 0, 254, out=rows)
    rows += dtype(1.5)
    if invalid:
        bad = ~np.isfinite(image)
        rows[bad] = 0
    return rows.astype(np.uint8)


def to_words(image: Float, levels: tuple[float, float], name: str, *, invalid: bool = True) -> NDArray[np.uint32]:
    """Return an image as opaque 0xAARRGGBB words, row-major."""
    return packed(name).take(to_rows(image, levels, invalid=invalid))


@cache
def read_table(name: str) -> Table:
    """Return the 256 colours of a file in ``resources/colormaps``, uint8 (256, 3), as published."""
    colors = np.loadtxt(path("colormaps", f"{name}.csv"), delimiter=",", skiprows=1, dtype=np.uint8)
    if colors.shape != (256, 3):
        raise FormatError(
            f"the colour map {name} is damaged (expected 256 rows of 3 / found {colors.shape})", "Install Myoscope again."
        )
    return colors
