"""What is drawn: rows of panes, a pane a list of layers; frozen, without Qt.

Two frames are equal when a pane that shows one need not be touched for the other. Whoever shows images (the grid of panes, a
viewer in three dimensions) takes a :class:`Display`; nobody needs the session for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from app.display.layers import ImageLayer, Layer, first
from app.display.orientation import Orientation
from engine.core.types import Float

REFERENCE: Final = "reference"
"""Key of the reference's pane."""

IMAGE: Final = "image"
ERROR: Final = "error"
PROFILE: Final = "profile"
"""Names of the rows that both workspaces know: the pictures themselves, what differs from the reference, lines over time."""


class Form(StrEnum):
    """How much room the panes of a row take."""

    WORDS = "words"  # a picture with a title above and lines of words below
    PICTURE = "picture"  # a picture of the same size alone: under the one with words, or beside it
    STRIP = "strip"  # as wide as a picture, low


@dataclass(frozen=True, slots=True)
class ColorScale:
    """A colour map between two values, and what the values are."""

    colormap: str
    levels: tuple[float, float]
    label: str


@dataclass(frozen=True, slots=True)
class PaneFrame:
    """One pane: layers, with words.

    Parameters
    ----------
    key, row
        Whose pane (``"reference"`` or the key of a result), name of its row.
    title, aside
        Name above the picture, and what stands at the right of it (time taken).
    lines
        Lines under the picture (scores with their region).
    layers
        From the bottom up; () when there is nothing to show, ``message`` then says why. Without both the place stays free.
    badges
        Short warnings on the picture ("simulated coils", "stale: made with R 4", "preview").
    message
        Shown instead of a picture.
    details
        Several lines for a tooltip: how the numbers were made.
    """

    key: str
    row: str
    title: str
    aside: str = ""
    lines: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    badges: tuple[str, ...] = ()
    message: str = ""
    details: str = ""

    @property
    def picture(self) -> ImageLayer | None:
        """The picture whose values are told under the cursor, None without one."""
        return first(self.layers, ImageLayer)

    @property
    def image(self) -> Float | None:
        """Values of the picture, float32 (y, x) with the display orientation applied, None without one."""
        picture = self.picture
        return None if picture is None else picture.values

    @property
    def free(self) -> bool:
        """Whether nothing stands in its place."""
        return not self.layers and not self.message

    @property
    def words(self) -> tuple[str, ...]:
        """All words."""
        return (self.title, self.aside, self.message, self.details, *self.lines, "|", *self.badges)


@dataclass(frozen=True, slots=True)
class Row:
    """Panes of one kind, one for each column of the comparison; ``scale`` is the colour scale drawn beside them, None for none."""

    name: str
    panes: tuple[PaneFrame, ...]
    form: Form = Form.PICTURE
    scale: ColorScale | None = None


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
    rows
        The first has the pictures with their words: the reference first, then each result, in the order of the session. Those
        below have the same columns.
    window, automatic
        The one window (low, high) of all pictures, and whether it follows the data.
    window_moves
        Whether another window would change the pictures (phase and k-space have fixed scales).
    sizes, slice_index, frame
        What can be stepped through, and where we are (clamped into it).
    orientation, pixel_aspect
        How data pixels lie on screen; height of a display pixel divided by its width.
    messages
        Sentences worth saying once ("12 pixels of CG-SENSE are not numbers").
    hint
        What to do next while there is nothing to show, "" otherwise.
    """

    rows: tuple[Row, ...] = ()
    window: tuple[float, float] = (0.0, 1.0)
    automatic: bool = True
    window_moves: bool = True
    sizes: Sizes = Sizes()
    slice_index: int = 0
    frame: int = 0
    orientation: Orientation = field(default_factory=lambda: Orientation(1, 1))
    pixel_aspect: float = 1.0
    messages: tuple[str, ...] = ()
    hint: str = ""

    @property
    def panes(self) -> tuple[PaneFrame, ...]:
        """The frames of the first row."""
        return self.rows[0].panes if self.rows else ()

    def row(self, name: str) -> tuple[PaneFrame, ...]:
        """Return the frames of a row, () when it is not on screen."""
        return next((row.panes for row in self.rows if row.name == name), ())

    def pane(self, key: str, row: str = IMAGE) -> PaneFrame | None:
        """Return the frame of a key, None when it is not on screen."""
        return next((pane for pane in self.row(row) if pane.key == key), None)
