"""Maps and the view of them, resolved into frames to draw. Pure: same input, same picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from app.display.frames import ERROR, IMAGE, REFERENCE, ColorScale, Display, Form, PaneFrame, Row, Sizes
from app.display.layers import ImageLayer, MarksLayer, RoiLayer
from app.display.map_state import FitOutput, MapTool, MapView
from app.display.marks import Mark, MarkKind
from app.display.orientation import Orientation
from app.display.scene import CACHE, voxel_aspect
from app.display.shapes import Shape
from app.display.state import ViewState
from app.display.words import seconds_text
from app.maps import words as map_words
from app.maps.layers import Scale, difference, difference_scale, has_layer, scale_of, values_of
from app.maps.snapshot import ExtraMap, MapEntry, MapSnapshot
from engine.core.types import Float

COMPARED: Final = (FitOutput.VALUE, FitOutput.APPARENT)

ENDO_COLOR: Final = "#ff5a5a"
EPI_COLOR: Final = "#4fd67a"
INSERTION_COLOR: Final = "#ffd24a"
ROI_COLOR: Final = "#6ec6ff"
BLOOD_COLOR: Final = "#ff9df0"
PIXEL_COLOR: Final = "#ffffff"
Over = MarksLayer | RoiLayer
LABELS: Final = {MapTool.EPI: "epi", MapTool.ENDO: "endo", MapTool.ROI: "ROI", MapTool.BLOOD: "blood", MapTool.INSERTION: "RV"}


@dataclass(frozen=True, slots=True, eq=False)
class MapDisplay:
    """Everything on screen in the Maps workspace: panes, the scales of both rows."""

    display: Display
    scale: Scale | None = None
    lower: Scale | None = None


def resolve_maps(
    snapshot: MapSnapshot, maps_view: MapView, view: ViewState, scaled: tuple[MapEntry, ...] | None = None
) -> MapDisplay:
    """Return what to draw: one map for each entry on one scale, and below the differences from the reference's map.

    Automatic ranges follow ``scaled`` (the entries themselves without it): colours do not change while others stand in their place.
    """
    scaled = scaled or snapshot.entries
    if not snapshot.entries:
        return MapDisplay(Display(hint=snapshot.hint))
    first = snapshot.entries[0].maps
    height, width = first.main.values.shape[-2:]
    orientation = Orientation(height, width, view.quarter_turns, view.flipped)
    at = min(max(view.slice_index, 0), snapshot.slices - 1)
    scale = scale_of(scaled, maps_view)
    over = drawn(snapshot, maps_view)
    panes = tuple(_pane(entry, scale, maps_view.layer, at, orientation, snapshot) for entry in snapshot.entries)
    panes += tuple(_extra(extra, at, orientation) for extra in snapshot.extras)
    rows = [Row(IMAGE, _covered(panes, over), Form.WORDS)]
    lower, scale_below = _lower(snapshot, maps_view, at, orientation, scaled)
    if scale_below is not None:
        label = f"{scale_below.label}, {scale_below.unit}"
        colors = ColorScale(scale_below.colormap, scale_below.levels, label)
        rows.append(Row(ERROR, _covered(lower, over), Form.PICTURE, colors))
    display = Display(
        rows=tuple(rows),
        window=scale.levels,
        automatic=scale.automatic,
        sizes=Sizes(snapshot.slices, 1, height, width),
        slice_index=at,
        orientation=orientation,
        pixel_aspect=voxel_aspect(snapshot.voxel_mm, orientation),
    )
    return MapDisplay(display, scale, scale_below)


def drawn(snapshot: MapSnapshot, view: MapView) -> tuple[Over, ...]:
    """Return what lies on all pictures: borders of segments, contours and regions, the clicked pixel."""
    made: list[Over] = []
    drawing = snapshot.drawing
    if view.marks:
        if snapshot.borders:
            made.append(MarksLayer(snapshot.borders))
        for points, color, dashed, key in (
            (drawing.epi, EPI_COLOR, False, MapTool.EPI),
            (drawing.endo, ENDO_COLOR, True, MapTool.ENDO),
            (drawing.roi, ROI_COLOR, False, MapTool.ROI),
            (drawing.blood, BLOOD_COLOR, True, MapTool.BLOOD),
        ):
            if points:
                # Names only while drawing: on a small heart they would hide it.
                made.append(RoiLayer(Shape.CONTOUR, points, color, key, dashed, LABELS[key] if view.tool is key else ""))
        if drawing.insertion is not None:
            at = (drawing.insertion,)
            made.append(RoiLayer(Shape.POINT, at, INSERTION_COLOR, MapTool.INSERTION, label=LABELS[MapTool.INSERTION]))
    if view.pixel is not None:
        made.append(MarksLayer((Mark(MarkKind.PIXEL, ((float(view.pixel[0]), float(view.pixel[1])),), PIXEL_COLOR),)))
    return tuple(made)


def _covered(frames: tuple[PaneFrame, ...], over: tuple[Over, ...]) -> tuple[PaneFrame, ...]:
    """Return frames with layers on all their pictures: the same objects for all of them."""
    return tuple(replace(frame, layers=(*frame.layers, *over)) if frame.layers and over else frame for frame in frames)


def _pane(
    entry: MapEntry, scale: Scale, layer: FitOutput, slice_index: int, orientation: Orientation, snapshot: MapSnapshot
) -> PaneFrame:
    maps = entry.maps
    message, details = _missing(entry, layer, slice_index, orientation), ""
    lines: tuple[str, ...] = ()
    layers: tuple[ImageLayer, ...] = ()
    badges: tuple[str, ...] = snapshot.notes if entry is snapshot.entries[0] else ()
    if slice_index in maps.slices:
        at = maps.slices.index(slice_index)
        lines = (map_words.median_text(maps, at), map_words.invalid_text(maps, at))
        details = map_words.details(maps, at)
        if not message:
            layers = _picture(values_of(maps, layer, at), orientation, scale.colormap, scale.levels)
    if entry.stale:
        badges = (*badges, entry.stale)
    if maps.displacement is not None and slice_index in maps.slices:
        badges = (*badges, _motion_text(maps.displacement, maps.slices.index(slice_index)))
    return PaneFrame(
        entry.key,
        IMAGE,
        entry.title,
        seconds_text(maps.seconds),
        lines,
        layers,
        badges,
        message,
        details,
    )


def _extra(extra: ExtraMap, slice_index: int, orientation: Orientation) -> PaneFrame:
    """Return a map made from others, on a scale of its own that its words tell."""
    layers: tuple[ImageLayer, ...] = ()
    message = ""
    if extra.values.shape[-2:] != (orientation.height, orientation.width):
        message = "Another matrix size"
    elif slice_index not in extra.slices:
        message = f"Slice {slice_index + 1} is not\nthere"
    else:
        values = _slice_of(extra.values, extra.slices.index(slice_index))
        layers = _picture(values, orientation, extra.colormap, extra.levels)
    low, high = extra.levels
    return PaneFrame(
        extra.key,
        IMAGE,
        extra.title,
        lines=(*extra.lines[:1], f"colours {low:g} to {high:g} {extra.unit}".rstrip()),
        layers=layers,
        message=message,
        details="\n".join((extra.title, *extra.lines)),
    )


def _motion_text(displacement: Float, at: int) -> str:
    """Return what motion correction did to a slice: one that it does not help stays as it was measured."""
    moved = CACHE.get((displacement,), ("map moved", at), lambda: bool(displacement[at].any()))
    return "motion corrected" if moved else "motion correction did not help: as measured"


def _slice_of(values: Float, at: int) -> Float:
    return CACHE.get((values,), ("map slice", at), lambda: values[at])


def _lower(
    snapshot: MapSnapshot, view: MapView, slice_index: int, orientation: Orientation, scaled: tuple[MapEntry, ...]
) -> tuple[tuple[PaneFrame, ...], Scale | None]:
    """Return the differences from the reference's map; () when they are off, or there is no reference's map, or nothing else."""
    entries = snapshot.entries
    if not view.difference or view.layer not in COMPARED or entries[0].key != REFERENCE or len(entries) < 2:
        return (), None
    scale = difference_scale(scaled, view)
    if scale is None:
        return (), None
    reference = entries[0]
    frames = [PaneFrame(REFERENCE, ERROR, "Difference")]  # its place is free for the scale
    for entry in entries[1:]:
        message = _missing(entry, view.layer, slice_index, orientation) or _missing(reference, view.layer, slice_index, orientation)
        if not message and entry.maps.main.quantity != reference.maps.main.quantity:
            message = "Another quantity than the reference's map"
        layers: tuple[ImageLayer, ...] = ()
        if not message:
            at, there = entry.maps.slices.index(slice_index), reference.maps.slices.index(slice_index)
            values = difference(entry.maps, at, reference.maps, there, view.layer)
            layers = _picture(values, orientation, scale.colormap, scale.levels)
        frames.append(PaneFrame(entry.key, ERROR, entry.title, layers=layers, message=message))
    # Maps made from others have no difference from the reference.
    frames += [PaneFrame(extra.key, ERROR, extra.title) for extra in snapshot.extras]
    return tuple(frames), scale


def _missing(entry: MapEntry, layer: FitOutput, slice_index: int, orientation: Orientation) -> str:
    """Return why a map cannot be shown, "" when it can."""
    maps = entry.maps
    height, width = maps.main.values.shape[-2:]
    if (height, width) != (orientation.height, orientation.width):
        return f"{height} × {width} pixels, not {orientation.height} × {orientation.width}:\ncannot be compared"
    if slice_index not in maps.slices:
        return f"Slice {slice_index + 1} is not\nfitted"
    if not has_layer(maps, layer):
        return "This model has no T1*" if layer is FitOutput.APPARENT else "This estimator tells no\nstandard deviation"
    return ""


def _picture(values: Float, orientation: Orientation, colormap: str, levels: tuple[float, float]) -> tuple[ImageLayer, ...]:
    """Return values (y, x) as the layer that a pane begins with."""

    def make() -> tuple[Float, int]:
        out: Float = np.ascontiguousarray(orientation.apply(values))
        out.flags.writeable = False
        return out, int(np.count_nonzero(~np.isfinite(out)))

    turned, invalid = CACHE.get((values,), ("map turned", orientation), make)
    return (ImageLayer(turned, colormap, levels, invalid),)
