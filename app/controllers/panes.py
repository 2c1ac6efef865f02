"""What every workspace with linked panes does alike: draw once after many changes, and take what tools and keys ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from PySide6.QtCore import Signal

from app.controllers.context import Context
from app.controllers.refreshing import RefreshingController
from app.display.frames import Display
from app.display.state import ViewState
from app.document.state import Topic
from app.views.grid import PaneGrid


class PaneController(RefreshingController):
    """Cursor, drags, steps through slices, zoom, flip, selection and tool of one grid of panes.

    A workspace says what is drawn (:meth:`draw`), what a value under the cursor is called (:meth:`tell`), what a window is
    (:meth:`set_window`, :meth:`reset_window`) and which pictures may stand in for each other (:meth:`flip_keys`). While another
    workspace is on screen nothing is drawn, and nothing of a series that was closed is kept.

    Signals
    -------
    pointed(words)
        Value under the cursor, for the status bar; "" outside.
    """

    pointed = Signal(str)

    SELECTED: ClassVar[str] = "selected"
    """Field of a case that holds the key of the selected pane."""

    def __init__(self, context: Context, grid: PaneGrid, selected: Topic) -> None:
        super().__init__(context.window)
        self._c, self._grid = context, grid
        self._cursor: tuple[int, int] | None = None
        self._drag = 1
        self._flipping = False
        session = context.session
        session.listen(self._on_case, Topic.CURRENT)
        session.listen(self._show_selected, Topic.CURRENT, selected)
        grid.cursorMoved.connect(self._on_cursor)
        grid.cursorLeft.connect(self._on_cursor_left)
        grid.frameRequested.connect(self.step_frame)
        grid.sliceRequested.connect(self.step_slice)
        grid.windowChanged.connect(self.set_window)
        grid.windowReset.connect(self.reset_window)
        grid.viewEdited.connect(lambda text, changes: self.edit(text, **changes))
        grid.dragFinished.connect(self.end_drag)
        grid.paneClicked.connect(self.select)
        grid.said.connect(context.say)

    # --- what a workspace says -----------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Resolve the session and show it."""
        raise NotImplementedError

    def tell(self, x: int, y: int) -> None:
        """Tell the values at the data pixel under the cursor."""
        raise NotImplementedError

    def tell_outside(self) -> None:
        """Tell that the cursor left the pictures."""
        self.pointed.emit("")

    def set_window(self, low: float, high: float) -> None:
        """Take another window for all pictures; moves of one drag are one step of undo."""
        raise NotImplementedError

    def reset_window(self) -> None:
        """Take the automatic window again."""
        raise NotImplementedError

    def flip_keys(self) -> tuple[str, ...]:
        """Return the keys of pictures that can stand in for each other, first the one to compare with; () for none."""
        raise NotImplementedError

    # --- drawing -------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Draw now."""
        self._timer.stop()
        self.draw()
        if self._cursor is not None:
            self.tell(*self._cursor)

    def set_active(self, active: bool) -> None:
        """Say whether the workspace is on screen: a hidden one is not drawn."""
        self._active = active
        if active:
            self.refresh()
        else:
            self.set_flip(False)

    def _on_case(self) -> None:
        self._cursor = None
        self.pointed.emit("")
        if not self._active:
            self._grid.apply(Display())

    # --- looking -------------------------------------------------------------------------------------------------------

    @property
    def looking(self) -> ViewState:
        """Where in the series on screen we are, and how its images are seen."""
        case = self._c.session.current
        return ViewState() if case is None else case.view

    def look(self, **changes: Any) -> None:
        """Change the view; looking about is not undone."""
        case = self._c.session.current
        if case is not None:
            self._c.session.edit(case.key, view=replace(case.view, **changes))

    def edit(self, text: str, **changes: Any) -> None:
        """Change the view so that it can be undone; moves of one drag are one step."""
        case = self._c.session.current
        if case is not None:
            self._c.session.edit(case.key, text, f"{text} {self._drag}", view=replace(case.view, **changes))

    def end_drag(self) -> None:
        """Let what follows be a step of undo of its own."""
        self._drag += 1

    def set_slice(self, index: int) -> None:
        """Show a slice."""
        case = self._c.session.current
        if case is not None:
            self.look(slice_index=min(max(index, 0), case.slices - 1))

    def step_slice(self, by: int) -> None:
        """Go on by slices."""
        self.set_slice(self.looking.slice_index + by)

    def step_frame(self, by: int) -> None:
        """Go on by frames; pictures without frames go on by slices."""
        self.step_slice(by)

    def rotate(self) -> None:
        """Turn the display by a quarter."""
        self.end_drag()
        self.edit("rotate", quarter_turns=(self.looking.quarter_turns + 1) % 4)

    def mirror(self) -> None:
        """Mirror the display."""
        self.end_drag()
        self.edit("mirror", flipped=not self.looking.flipped)

    def zoom(self, factor: float) -> None:
        """Zoom all panes about their middle."""
        self._grid.zoom_by(factor)

    def zoom_reset(self) -> None:
        """Show whole images."""
        self._grid.reset_view()

    # --- selection and flip --------------------------------------------------------------------------------------------

    @property
    def selected(self) -> str:
        """Key of the selected pane, "" for none."""
        case = self._c.session.current
        return "" if case is None else str(getattr(case, self.SELECTED))

    def select(self, key: str) -> None:
        """Make a pane the selected one."""
        case = self._c.session.current
        if case is not None:
            self._c.session.edit(case.key, **{self.SELECTED: key})

    def _show_selected(self) -> None:
        self._grid.set_selected(self.selected)

    def toggle_flip(self) -> None:
        """Flip, or back."""
        self.set_flip(not self._flipping)

    def set_flip(self, on: bool) -> None:
        """Show the first picture in the place of the selected one (of the last when none is selected), or end that."""
        keys = self.flip_keys() if on else ()
        self._flipping = len(keys) > 1
        if not self._flipping:
            self._grid.flip("", "")
            return
        place = self.selected if self.selected in keys else keys[-1]
        self._grid.flip(place, keys[-1] if place == keys[0] else keys[0])

    # --- cursor --------------------------------------------------------------------------------------------------------

    def _on_cursor(self, x: int, y: int) -> None:
        self._cursor = (x, y)
        self.tell(x, y)

    def _on_cursor_left(self) -> None:
        self._cursor = None
        self.tell_outside()
