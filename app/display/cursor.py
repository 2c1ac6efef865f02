"""Values under the cursor, read from the pictures on screen."""

from __future__ import annotations

from dataclasses import dataclass

from app.display.frames import ERROR, Display, PaneFrame


@dataclass(frozen=True, slots=True)
class CursorValue:
    """Value of one pane at a data pixel; ``error`` None without an error map. NaN means the pixel holds no number."""

    key: str
    title: str
    value: float
    error: float | None = None


def values_at(display: Display, x: int, y: int) -> tuple[CursorValue, ...]:
    """Return the values of all panes at the data pixel (x, y), in the order of the panes; () outside the image.

    Raises nothing: a pane without a picture is left out.
    """
    sizes = display.sizes
    if not (0 <= x < sizes.width and 0 <= y < sizes.height):
        return ()
    column, row = display.orientation.to_display(x, y)
    errors = {frame.key: frame for frame in display.row(ERROR)}
    found = []
    for pane in display.panes:
        value, error = _read(pane, column, row), _read(errors.get(pane.key), column, row)
        if value is not None:
            found.append(CursorValue(pane.key, pane.title, value, error))
    return tuple(found)


def _read(frame: PaneFrame | None, column: float, row: float) -> float | None:
    image = None if frame is None else frame.image
    return None if image is None else float(image[int(row), int(column)])
