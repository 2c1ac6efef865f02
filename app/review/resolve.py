"""What the session holds and what the user is looking at, resolved into frames to draw. Pure: same input, same picture."""

from __future__ import annotations

from typing import Final

from app.display.frames import PROFILE, Display, Row
from app.display.scene import Scene, make_scene, pixel_aspect
from app.display.snapshot import SessionSnapshot
from app.display.state import Component, ErrorMode, ViewState
from app.review.rows import error_row, image_row, profile_row

EMPTY_HINT: Final = "Open a k-space file, drop one here, or choose a sample."
READY_HINT: Final = "Choose one or more methods and press Reconstruct."


def resolve(snapshot: SessionSnapshot, view: ViewState) -> Display:
    """Return what to draw for a session and a view.

    All panes share one window, taken from the reference (from the first result when there is none). Unchanged pictures come back
    as the same array objects, so a pane can see at once that it need not be touched. Called on the GUI thread only (it shares one
    cache of derived images).
    """
    scene = make_scene(snapshot, view)
    if scene is None:
        return Display(hint=READY_HINT if snapshot.title else EMPTY_HINT)
    rows = tuple(row for row in (image_row(scene), error_row(scene), profile_row(scene)) if row is not None)
    return Display(
        rows=rows,
        window=scene.window,
        automatic=scene.automatic,
        window_moves=view.component not in (Component.PHASE, Component.KSPACE),
        sizes=scene.sizes,
        slice_index=scene.slice_index,
        frame=scene.frame,
        orientation=scene.orientation,
        pixel_aspect=pixel_aspect(snapshot, scene.orientation),
        messages=_messages(scene, rows),
    )


def _messages(scene: Scene, rows: tuple[Row, ...]) -> tuple[str, ...]:
    """Return sentences about this picture that a status line should say."""
    said = []
    if scene.reference is None:
        said.append("No reference: errors and scores cannot be shown.")
        if scene.basis:
            said.append(f"The window is that of {scene.basis}.")
    for pane in (pane for row in rows if row.name != PROFILE for pane in row.panes):
        picture = pane.picture
        if picture is not None and picture.invalid:
            said.append(f"{picture.invalid} of {picture.values.size} pixels of {pane.title} are not numbers.")
    if scene.reference is None and scene.view.error_mode is not ErrorMode.NONE:
        said.append("Open fully sampled data to see error maps.")
    return tuple(dict.fromkeys(said))
