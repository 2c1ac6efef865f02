"""The 16 segments of the left ventricle in short-axis slices, their statistics, and the bullseye.

Numbers, names and angles are those of Cerqueira et al., Circulation 2002;105:539 (doi 10.1161/hc0402.102975): six sectors of 60
degrees at the base and in the middle, four of 90 degrees at the apex. With the anterior wall on top and the septum on the left, the
middle of the anterior sector is on top, and the sectors follow counter-clockwise. The anterior insertion of the right
ventricle is the border of anterior and anteroseptal wall (1 and 2, 7 and 8). At the apex the septal sector is centred where the
septum of the other levels is: it begins 15 degrees beyond the insertion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import InputError, ShapeError
from engine.core.records.relaxometry import SegmentStatistics
from engine.core.types import Bool, ParameterMap
from engine.relaxometry.contours import centre, checked_outline, checked_shape, contour_region

NAMES = {
    1: "basal anterior",
    2: "basal anteroseptal",
    3: "basal inferoseptal",
    4: "basal inferior",
    5: "basal inferolateral",
    6: "basal anterolateral",
    7: "mid anterior",
    8: "mid anteroseptal",
    9: "mid inferoseptal",
    10: "mid inferior",
    11: "mid inferolateral",
    12: "mid anterolateral",
    13: "apical anterior",
    14: "apical septal",
    15: "apical inferior",
    16: "apical lateral",
}
# Level -> numbers in the order in which they follow from the insertion, and degrees from the insertion to the first.
LEVELS: dict[str, tuple[tuple[int, ...], float]] = {
    "basal": ((2, 3, 4, 5, 6, 1), 0.0),
    "mid": ((8, 9, 10, 11, 12, 7), 0.0),
    "apical": ((14, 15, 16, 13), 15.0),
}


def segments(
    endo: NDArray[Any],
    epi: NDArray[Any],
    insertion: tuple[float, float],
    clockwise: bool,
    level: str,
    shape: tuple[int, int],
    *,
    pixel_mm: tuple[float, float] = (1.0, 1.0),
) -> dict[int, Bool]:
    """Return the segments of one slice: AHA number (1 to 16) -> pixels, bool (y, x).

    A pixel belongs to the wall when its centre lies inside ``epi`` and not inside ``endo``, and to one segment only, by its angle
    about the centroid of the cavity.

    Parameters
    ----------
    endo, epi
        (N, 2) of (y, x) in pixels (:mod:`engine.relaxometry.contours`), endocardial within epicardial.
    insertion
        Anterior insertion of the right ventricle, (y, x) in pixels; its angle about the cavity counts, not its distance.
    clockwise
        Whether the septum follows the insertion clockwise on the image as stored (y down, x to the right). False is the usual view
        with the right ventricle on the left and the anterior wall on top.
    level
        ``basal``, ``mid`` or ``apical``.
    shape
        Sizes (y, x) of the slice.
    pixel_mm
        Size of a pixel (y, x): angles are those of the body, also where pixels are not square.

    Raises
    ------
    InputError, ShapeError
        The level is unknown, an outline cannot be used, ``endo`` leaves ``epi``, the insertion lies in the cavity, or the wall
        holds no pixel.
    """
    if level not in LEVELS:
        raise InputError(f"unknown level {level!r} (expected {', '.join(LEVELS)})", "Choose where the slice cuts the ventricle.")
    size = checked_shape(shape)
    wall = _wall(checked_outline(endo, "endocardial contour"), checked_outline(epi, "epicardial contour"), size)
    middle = centre(endo)
    place = np.asarray(insertion, np.float64)
    if place.shape != (2,) or not np.isfinite(place).all():
        raise InputError(f"the RV insertion is no point (expected y and x / found {insertion})", "Click it again.")
    if _holds(endo, place):
        raise InputError(
            f"the RV insertion lies in the cavity (expected it at the epicardium / found y {place[0]:.4g}, x {place[1]:.4g})",
            "Click where the anterior wall of the right ventricle meets the left one.",
        )
    scale = np.asarray(pixel_mm, np.float64)
    if scale.shape != (2,) or not (np.isfinite(scale).all() and (scale > 0).all()):
        raise InputError(f"the size of a pixel cannot be used (expected two lengths in mm / found {pixel_mm})", "Leave it out.")
    numbers, beyond = LEVELS[level]
    y, x = np.nonzero(wall)
    angles = _turn((y, x), middle, scale, clockwise) - _turn(place, middle, scale, clockwise) - beyond
    # Rounded to a billionth of a turn, so that a pixel exactly on a border falls to the same side everywhere.
    angles = np.round(angles % 360.0, 7) % 360.0
    sector = (angles // (360.0 / len(numbers))).astype(np.intp)
    found = {}
    for index, number in enumerate(numbers):
        pixels = np.zeros(size, dtype=bool)
        pixels[y[sector == index], x[sector == index]] = True
        found[number] = pixels
    return dict(sorted(found.items()))


def _wall(endo: NDArray[np.float64], epi: NDArray[np.float64], shape: tuple[int, int]) -> Bool:
    inner, outer = contour_region(endo, shape), contour_region(epi, shape)
    outside = int((inner & ~outer).sum())
    if outside:
        raise InputError(
            f"the endocardial contour leaves the epicardial one (expected it inside / found {outside} pixels outside)",
            "Move the points, or draw the contours again.",
        )
    wall: Bool = outer & ~inner
    if not wall.any():
        raise InputError("there is no pixel between the contours (expected a wall)", "Draw the epicardial contour further outside.")
    return wall


def _holds(outline: NDArray[Any], place: NDArray[np.float64]) -> bool:
    """Return whether an outline holds a point: that of the pixel whose centre is moved there."""
    moved = np.asarray(outline, np.float64) - place
    return bool(contour_region(moved, (1, 1))[0, 0])


def _turn(place: Any, middle: tuple[float, float], scale: NDArray[np.float64], clockwise: bool) -> Any:
    """Return angles in degrees about ``middle``, growing in the direction in which the segments follow."""
    down, right = ((np.asarray(p, np.float64) - m) * s for p, m, s in zip(place, middle, scale, strict=True))
    return np.degrees(np.arctan2(down, right)) * (1.0 if clockwise else -1.0)


def segment_table(map_: ParameterMap, slice_index: int, masks: Mapping[int, Bool]) -> list[SegmentStatistics]:
    """Return statistics of the valid pixels of each mask in one slice.

    Parameters
    ----------
    map_
        The map.
    slice_index
        Index into the slices of the map.
    masks
        Number -> pixels, bool (y, x); numbers that are no AHA segments have no name ("").

    Returns
    -------
    list of SegmentStatistics
        In the order of ``masks``.

    Raises
    ------
    InputError, ShapeError
        There is no such slice, or a mask has another size.
    """
    if not 0 <= slice_index < map_.values.shape[0]:
        raise InputError(
            f"the map has no slice {slice_index} (expected below {map_.values.shape[0]})", "Count from 0 within the map's slices."
        )
    valid, values = map_.valid[slice_index], map_.values[slice_index]
    return [_row(number, *_pixels(values, valid, mask)) for number, mask in masks.items()]


def bullseye(map_: ParameterMap, masks: Mapping[int, Mapping[int, Bool]]) -> list[SegmentStatistics]:
    """Return statistics of all 16 segments over all slices, the pixels of a segment's slices taken together.

    Parameters
    ----------
    map_
        The map.
    masks
        Index into the map's slices -> segments of that slice, as :func:`segments` gives.

    Returns
    -------
    list of SegmentStatistics
        Segments 1 to 16, as :func:`segment_table`; those that no slice has have ``n`` 0.
    """
    found: dict[int, list[tuple[NDArray[Any], int]]] = {number: [] for number in NAMES}
    for slice_index, one in masks.items():
        segment_table(map_, slice_index, {})
        for number in sorted(set(one) & set(NAMES)):
            found[number].append(_pixels(map_.values[slice_index], map_.valid[slice_index], one[number]))
    nothing = np.zeros(0, np.float32)
    return [
        _row(number, np.concatenate([nothing, *(values for values, _ in parts)]), sum(count for _, count in parts))
        for number, parts in found.items()
    ]


def _pixels(values: NDArray[Any], valid: Bool, mask: Bool) -> tuple[NDArray[Any], int]:
    """Return the valid values in a mask, and how many pixels of it are not valid."""
    if np.shape(mask) != values.shape:
        raise ShapeError(f"the segment does not fit the map (expected {values.shape} / found {np.shape(mask)})", "Draw it there.")
    chosen = np.asarray(mask, dtype=bool)
    return values[chosen & valid], int((chosen & ~valid).sum())


def _row(number: int, values: NDArray[Any], invalid: int) -> SegmentStatistics:
    n = int(values.size)
    return SegmentStatistics(
        segment=number,
        name=NAMES.get(number, ""),
        mean=float(values.mean(dtype=np.float64)) if n else math.nan,
        sd=float(values.std(ddof=1, dtype=np.float64)) if n > 1 else math.nan,
        median=float(np.median(values)) if n else math.nan,
        n=n,
        n_invalid=invalid,
    )
