"""What the user is looking at, and how: frozen, Qt-free, no pixels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Component(StrEnum):
    """Which part of complex data is shown; one key each."""

    MAGNITUDE = "magnitude"
    PHASE = "phase"
    REAL = "real"
    IMAGINARY = "imaginary"
    KSPACE = "kspace"


class ErrorMode(StrEnum):
    """What the second row shows."""

    NONE = "none"
    ABSOLUTE = "absolute"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class ViewState:
    """One state shared by all panes.

    Parameters
    ----------
    slice_index, frame
        Position in the slices and frames that are on screen.
    component
        Part of the complex image.
    window
        (low, high) in data units, None for the reference's automatic window. All panes share it.
    error_mode, error_gain
        Second row: error times gain on the fixed scale 0..window high.
    show_region, region_percentile
        Outline of the dynamic region and its percentile.
    profile
        Line (x0, y0, x1, y1) in image pixels of the x-t profile, None for a horizontal line through the centre.
    show_profile
        Whether the x-t row is shown.
    divider
        Where the divider stands, as a fraction of the pane's width: left of it each result shows the reference. None
        for no divider.
    tool
        Name of the tool that has the left button of the mouse.
    quarter_turns, flipped
        Display orientation: quarter turns counter-clockwise after an optional left-right flip. The data are never changed.
    score_region
        Region of the scores under the panes: "whole", "dynamic", "static" or another that was scored.
    """

    slice_index: int = 0
    frame: int = 0
    component: Component = Component.MAGNITUDE
    window: tuple[float, float] | None = None
    error_mode: ErrorMode = ErrorMode.ABSOLUTE
    error_gain: float = 5.0
    show_region: bool = True
    region_percentile: float = 90.0
    profile: tuple[float, float, float, float] | None = None
    show_profile: bool = True
    divider: float | None = None
    tool: str = "pan"
    quarter_turns: int = 0
    flipped: bool = False
    score_region: str = "whole"
