"""From values to coloured pixels, whatever the colour map: linear ones, and those of relaxation maps with their own rule."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.display import colors, relaxation_colors
from engine.core.types import Float


def to_words(image: Float, levels: tuple[float, float], name: str, *, invalid: bool = True) -> NDArray[np.uint32]:
    """Return an image as opaque 0xAARRGGBB words, row-major; ``invalid=False`` promises finite pixels."""
    if name in relaxation_colors.RELAXATION:
        return relaxation_colors.to_words(image, levels, name)
    return colors.to_words(image, levels, name, invalid=invalid)


def ramp(levels: tuple[float, float], name: str, count: int = 256) -> NDArray[np.uint32]:
    """Return the colours of ``count`` values evenly spread over the levels: a colour bar whose positions are values."""
    low, high = levels
    values = (low + (np.arange(count) + 0.5) / count * (high - low)).astype(np.float32)
    return to_words(values, levels, name, invalid=False)
