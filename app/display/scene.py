"""What all panes of one moment share: where we are, the one window, the orientation, the profile line."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from numpy.typing import NDArray

from app.display.cache import ArrayCache
from app.display.components import DB_RANGE, kspace_peak
from app.display.frames import Sizes
from app.display.orientation import Orientation
from app.display.profile import Line, clipped, default_line
from app.display.snapshot import ResultEntry, SessionSnapshot
from app.display.state import Component, ViewState
from app.display.window import auto_window, safe_levels
from engine.core.axes import FRAME, SLICE, X, Y

CACHE: Final = ArrayCache(384 << 20)
"""Derived images of all panes: 1,500 frames of 256 x 256."""


class Place(NamedTuple):
    """An image series (slice, frame, y, x) and where the current slice and frame stand in it; None when it lacks them."""

    array: NDArray[Any]
    slice_at: int | None
    frame_at: int | None


class Scene(NamedTuple):
    """The shared part of a display, see :class:`~app.display.frames.Display` for the meaning of the fields."""

    snapshot: SessionSnapshot
    view: ViewState
    reference: Place | None
    results: tuple[Place, ...]
    sizes: Sizes
    slice_index: int
    frame: int
    orientation: Orientation
    line: Line
    window: tuple[float, float]
    automatic: bool
    basis: str
    peak: float

    def levels(self, component: Component) -> tuple[float, float]:
        """Return the values of the colour map's ends for one part of the image."""
        if component is Component.PHASE:
            return -math.pi, math.pi
        if component is Component.KSPACE:
            return DB_RANGE
        high = max(abs(self.window[0]), abs(self.window[1]))
        return self.window if component is Component.MAGNITUDE else (-high, high)

    def fits(self, place: Place) -> bool:
        """Whether a series has the size of the images on screen."""
        return place.array.shape[Y:] == (self.sizes.height, self.sizes.width)


def make_scene(snapshot: SessionSnapshot, view: ViewState) -> Scene | None:
    """Return the shared part of the display, None when there is no image at all."""
    slices, frames = on_screen(snapshot)
    first = snapshot.reference if snapshot.reference is not None else _first_image(snapshot)
    if first is None or not slices or not frames:
        return None
    slice_index = min(max(view.slice_index, 0), len(slices) - 1)
    frame = min(max(view.frame, 0), len(frames) - 1)
    height, width = first.shape[Y], first.shape[X]
    there = snapshot.reference_slices is None or slice_index in snapshot.reference_slices
    reference = None if snapshot.reference is None else Place(snapshot.reference, slice_index if there else None, frame)
    results = tuple(_place(entry, slices[slice_index], frames[frame]) for entry in snapshot.results)
    basis, title = reference, "Reference"
    if (basis is None or basis.slice_at is None) and results:
        at = next((i for i, place in enumerate(results) if place.slice_at is not None), 0)
        basis, title = results[at], snapshot.results[at].title
    if basis is None:
        return None
    window, automatic = _window(view, basis)
    return Scene(
        snapshot=snapshot,
        view=view,
        reference=reference,
        results=results,
        sizes=Sizes(len(slices), len(frames), height, width),
        slice_index=slice_index,
        frame=frame,
        orientation=Orientation(height, width, view.quarter_turns, view.flipped),
        line=clipped(view.profile or default_line(height, width), height, width),
        window=window,
        automatic=automatic,
        basis=title if automatic else "",
        peak=_peak(view, basis),
    )


def on_screen(snapshot: SessionSnapshot) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the series indices of the slices and of the frames that can be stepped through.

    They are the session's own when it tells them; else those of the reference, counted from 0 unless a result of the same size
    tells them; else those of the results.
    """
    made = [entry.reconstruction for entry in snapshot.results]
    if snapshot.reference is None:
        slices = tuple(sorted({s for r in made for s in r.slices}))
        frames = tuple(sorted({f for r in made for f in r.frames}))
    else:
        n_slices, n_frames = snapshot.reference.shape[SLICE], snapshot.reference.shape[FRAME]
        slices = next((r.slices for r in made if len(r.slices) == n_slices), tuple(range(n_slices)))
        frames = next((r.frames for r in made if len(r.frames) == n_frames), tuple(range(n_frames)))
    return snapshot.slices or slices, snapshot.frames or frames


def pixel_aspect(snapshot: SessionSnapshot, orientation: Orientation) -> float:
    """Return the height of a display pixel divided by its width, from the voxel size; 1 when that is unknown."""
    voxel = snapshot.voxel_mm or next((e.reconstruction.voxel_mm for e in snapshot.results if e.reconstruction.voxel_mm), None)
    return voxel_aspect(voxel, orientation)


def voxel_aspect(voxel: tuple[float, float, float] | None, orientation: Orientation) -> float:
    """Return the height of a display pixel divided by its width for voxels (z, y, x); 1 when that is unknown."""
    if voxel is None or voxel[Y] <= 0 or voxel[X] <= 0:
        return 1.0
    aspect = voxel[Y] / voxel[X]
    return 1.0 / aspect if orientation.turns % 2 else aspect


def _first_image(snapshot: SessionSnapshot) -> NDArray[Any] | None:
    return snapshot.results[0].reconstruction.image if snapshot.results else None


def _place(entry: ResultEntry, slice_id: int, frame_id: int) -> Place:
    made = entry.reconstruction
    slice_at = made.slices.index(slice_id) if slice_id in made.slices else None
    frame_at = made.frames.index(frame_id) if frame_id in made.frames else None
    return Place(made.image, slice_at, frame_at)


def _window(view: ViewState, basis: Place) -> tuple[tuple[float, float], bool]:
    """Return the window all panes share and whether it is automatic."""
    if view.window is not None:
        return safe_levels(*view.window), False
    array, at = basis.array, basis.slice_at
    if at is None:
        return (0.0, 1.0), True
    return CACHE.get((array,), ("window", at), lambda: auto_window(array[at])), True


def _peak(view: ViewState, basis: Place) -> float:
    """Return what 0 dB means in k-space."""
    array, at = basis.array, basis.slice_at
    if view.component is not Component.KSPACE or at is None:
        return 1.0
    return CACHE.get((array,), ("peak", at), lambda: kspace_peak(array[at]))
