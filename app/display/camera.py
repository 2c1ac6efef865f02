"""Zoom and pan, shared by all panes: which part of an image is in view, whatever the pane's size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LARGEST_ZOOM: Final = 64.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where an image lies in a viewport: its top left corner and the size of one pixel, in viewport units."""

    x: float
    y: float
    pixel_width: float
    pixel_height: float

    def to_view(self, column: float, row: float) -> tuple[float, float]:
        """Return the viewport position of a display coordinate (whole numbers are pixel centres)."""
        return self.x + (column + 0.5) * self.pixel_width, self.y + (row + 0.5) * self.pixel_height

    def to_image(self, x: float, y: float) -> tuple[float, float]:
        """Return the display coordinate at a viewport position."""
        return (x - self.x) / self.pixel_width - 0.5, (y - self.y) / self.pixel_height - 0.5


@dataclass(frozen=True, slots=True)
class Camera:
    """Zoom (1 fits the image into the pane) and the point of the image in the middle of the pane, as fractions of the image."""

    zoom: float = 1.0
    across: float = 0.5
    down: float = 0.5

    def target(self, width: float, height: float, shape: tuple[int, int], aspect: float = 1.0) -> Target:
        """Return where an image of ``shape`` (rows, columns) lies in a viewport; ``aspect`` is pixel height over pixel width."""
        rows, columns = shape
        pixel = min(width / columns, height / (rows * aspect)) * self.zoom
        return Target(
            width / 2 - self.across * columns * pixel, height / 2 - self.down * rows * pixel * aspect, pixel, pixel * aspect
        )

    def zoomed(self, factor: float, across: float, down: float) -> Camera:
        """Return the camera zoomed about a point of the image (fractions), which stays where it is on screen."""
        zoom = min(max(self.zoom * factor, 1.0), LARGEST_ZOOM)
        if zoom == 1.0:
            return Camera()
        ratio = self.zoom / zoom
        return Camera(zoom, _inside(across + (self.across - across) * ratio), _inside(down + (self.down - down) * ratio))

    def panned(self, across: float, down: float) -> Camera:
        """Return the camera moved by fractions of the image; nothing moves while the whole image is in view."""
        if self.zoom <= 1.0:
            return self
        return Camera(self.zoom, _inside(self.across + across), _inside(self.down + down))


def _inside(fraction: float) -> float:
    return min(max(fraction, 0.0), 1.0)


def camera_values(camera: Camera) -> dict[str, float]:
    """Return a camera as plain numbers, for the session file."""
    return {"zoom": camera.zoom, "across": camera.across, "down": camera.down}


def camera_of(values: Mapping[str, object]) -> Camera:
    """Return the camera of plain numbers; the whole image when they are none, or not possible."""
    numbers = [values.get(name) for name in ("zoom", "across", "down")]
    zoom, across, down = (float(one) if isinstance(one, int | float) else math.nan for one in numbers)
    inside = 1 <= zoom <= LARGEST_ZOOM and 0 <= across <= 1 and 0 <= down <= 1
    return Camera(zoom, across, down) if inside else Camera()
