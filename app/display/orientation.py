"""How an image is turned on screen, and which data pixel lies under a display pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.axes import X, Y


@dataclass(frozen=True, slots=True)
class Orientation:
    """A display orientation of images of ``height`` x ``width`` data pixels: left-right flip first, then quarter turns.

    Coordinates have whole numbers at pixel centres, x to the right and y down, as the arrays are stored.
    """

    height: int
    width: int
    quarter_turns: int = 0
    flipped: bool = False

    @property
    def turns(self) -> int:
        """Quarter turns counter-clockwise, 0 to 3."""
        return self.quarter_turns % 4

    @property
    def shape(self) -> tuple[int, int]:
        """Display (height, width)."""
        return (self.width, self.height) if self.turns % 2 else (self.height, self.width)

    def apply(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return ``image`` (..., y, x) turned for the screen, as a view."""
        if self.flipped:
            image = image[..., ::-1]
        return np.rot90(image, self.turns, axes=(Y, X))

    def to_display(self, x: float, y: float) -> tuple[float, float]:
        """Return the display coordinates of a data coordinate."""
        if self.flipped:
            x = self.width - 1 - x
        height, width = self.height, self.width
        for _ in range(self.turns):
            x, y = y, width - 1 - x  # counter-clockwise: the right edge becomes the top
            height, width = width, height
        return x, y

    def to_data(self, x: float, y: float) -> tuple[float, float]:
        """Return the data coordinates of a display coordinate."""
        height, width = self.shape
        for _ in range(self.turns):
            x, y = height - 1 - y, x
            height, width = width, height
        if self.flipped:
            x = self.width - 1 - x
        return x, y

    def pixel(self, x: float, y: float) -> tuple[int, int] | None:
        """Return the data pixel (x, y) that a display coordinate lies on, None outside the image."""
        height, width = self.shape
        column, row = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
        if not (0 <= column < width and 0 <= row < height):
            return None
        data_x, data_y = self.to_data(column, row)
        return int(data_x), int(data_y)
