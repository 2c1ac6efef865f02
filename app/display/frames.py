"""What is drawn: frozen frames without Qt. Two frames are the same when a pane that shows one need not be touched for the other."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

import numpy as np

from app.display.orientation import Orientation
from app.display.profile import Line
from app.display.state import Component
from engine.core.types import Bool, Float

REFERENCE: Final = "reference"
"""Key of the reference's pane."""


class Role(StrEnum):
    """Which row a frame belongs to."""

    IMAGE = "image"
    ERROR = "error"
    PROFILE = "profile"


@dataclass(frozen=True, slots=True, eq=False)
class PaneFrame:
    """One picture with its words.

    Parameters
    ----------
    key, role
        Whose pane (``"reference"`` or the key of a result), which row.
    title, aside
        Name above the picture, and what stands at the right of it (time taken).
    lines
        Lines under the picture (scores with their region).
    image
        float32 (y, x) with the display orientation applied, None when there is nothing to show; ``message`` then says why.
        A profile is (frame, position).
    colormap, levels, label
        Name of the colour map; values of its ends, in the units of ``image``; name of the quantity on the colour bar.
    outline
        bool (y, x), the dynamic region in display orientation, or None.
    badges
        Short warnings on the picture ("simulated coils", "stale: made with R 4", "preview").
    message
        Shown instead of a picture.
    details
        Several lines for a tooltip: how the numbers were made.
    invalid
        Pixels of ``image`` that are NaN or infinite.
    marker
        Row of the current frame in a profile, None elsewhere.
    """

    key: str
    role: Role
    title: str
    aside: str = ""
    lines: tuple[str, ...] = ()
    image: Float | None = None
    colormap: str = "gray"
    levels: tuple[float, float] = (0.0, 1.0)
    label: str = ""
    outline: Bool | None = None
    badges: tuple[str, ...] = ()
    message: str = ""
    details: str = ""
    invalid: int = 0
    marker: int | None = None


_NAMES: Final = tuple(f.name for f in fields(PaneFrame))


def same_frame(one: PaneFrame | None, other: PaneFrame | None) -> bool:
    """Whether two frames draw the same picture; arrays are compared by identity, which the cache of ``resolve`` keeps."""
    if one is None or other is None:
        return one is other
    return all(_same(getattr(one, name), getattr(other, name)) for name in _NAMES)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return a is b
    return bool(a == b)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of what is on screen, in data orientation."""

    slices: int = 0
    frames: int = 0
    height: int = 0
    width: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Display:
    """Everything on screen at one moment.

    Parameters
    ----------
    panes
        The reference first, then each result, in the order of the session.
    errors, profiles
        Rows below, in the same order as ``panes`` and of the same length, or empty. The reference's error frame has no image.
    window, automatic
        The one magnitude window (low, high) of all panes, and whether it is the reference's automatic one.
    sizes, slice_index, frame
        What can be stepped through, and where we are (clamped into it).
    component
        Part of the complex images on screen.
    orientation, pixel_aspect
        How data pixels lie on screen; height of a display pixel divided by its width.
    line
        The profile line in data pixels, None when the profile row is hidden or the panes show k-space.
    messages
        Sentences worth saying once ("12 pixels of CG-SENSE are not numbers").
    hint
        What to do next while there is nothing to show, "" otherwise.
    """

    panes: tuple[PaneFrame, ...] = ()
    errors: tuple[PaneFrame, ...] = ()
    profiles: tuple[PaneFrame, ...] = ()
    window: tuple[float, float] = (0.0, 1.0)
    automatic: bool = True
    sizes: Sizes = Sizes()
    slice_index: int = 0
    frame: int = 0
    component: Component = Component.MAGNITUDE
    orientation: Orientation = field(default_factory=lambda: Orientation(1, 1))
    pixel_aspect: float = 1.0
    line: Line | None = None
    messages: tuple[str, ...] = ()
    hint: str = ""

    def pane(self, key: str) -> PaneFrame | None:
        """Return the image frame of a key, None when it is not on screen."""
        return next((pane for pane in self.panes if pane.key == key), None)
