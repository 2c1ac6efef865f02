"""The rows of panes: images, errors, x-t profiles. Each frame is made of layers, from the bottom up."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from app.display import words
from app.display.components import COLORMAPS, LABELS, component_of, decibels, kspace_magnitude
from app.display.frames import ERROR, IMAGE, PROFILE, REFERENCE, ColorScale, Form, PaneFrame, Row
from app.display.layers import DividerLayer, ImageLayer, Layer, LineLayer, MarkerLayer, OutlineLayer
from app.display.orientation import Orientation
from app.display.profile import sample
from app.display.scene import CACHE, Place, Scene
from app.display.snapshot import ResultEntry
from app.display.state import Component, ErrorMode
from engine.core.axes import FRAME, MAP_SLICE
from engine.core.types import Bool, Complex, Float

ERROR_WORDS: Final = {
    Component.MAGNITUDE: "error{gain}",
    Component.PHASE: "phase error{gain}, rad",
    Component.REAL: "real error{gain}",
    Component.IMAGINARY: "imaginary error{gain}",
    Component.KSPACE: "k-space error, dB",
}

LONGEST_BADGE: Final = 32

DIFFERENCE_OF_COMPLEX: Final = (Component.PHASE, Component.KSPACE)
"""Parts whose error is taken from the complex images; the others are differences of the two pictures."""


class Picture(NamedTuple):
    """An image in display orientation, read-only, and its count of pixels that are not finite."""

    image: Float
    invalid: int


def image_row(scene: Scene) -> Row:
    """Return the reference, then each result."""
    component = scene.view.component
    over = _over(scene)
    panes = []
    if scene.reference is not None:
        position = f"slice {scene.slice_index + 1}, frame {scene.frame + 1}{_time(scene)}"
        lines = (scene.snapshot.reference_words, position)
        badges = _short(scene.snapshot.notes)
        panes.append(_image(scene, scene.reference, PaneFrame(REFERENCE, IMAGE, "Reference", "", lines, over, badges)))
    divider = _divider(scene)
    for entry, place in zip(scene.snapshot.results, scene.results, strict=True):
        badges = words.badges_of(entry, scene.snapshot, _stale(entry, scene))
        if not panes:
            badges = (*_short(scene.snapshot.notes), *badges)
        frame = PaneFrame(
            entry.key,
            IMAGE,
            entry.title,
            words.seconds_text(entry.reconstruction.seconds),
            words.score_lines(entry.scores, scene.view.score_region),
            (*divider, *over),
            badges,
            details=_details(entry, scene),
        )
        panes.append(_image(scene, place, frame))
    return Row(IMAGE, tuple(panes), Form.WORDS, ColorScale(COLORMAPS[component], scene.levels(component), LABELS[component]))


def _over(scene: Scene) -> tuple[Layer, ...]:
    """Return what lies on the picture of every pane: the same objects for all of them."""
    if scene.view.component is Component.KSPACE:
        return ()
    outline, line = _outline(scene), _line(scene)
    return (*(() if outline is None else (OutlineLayer(outline),)), *(() if line is None else (line,)))


def _line(scene: Scene) -> LineLayer | None:
    """Return the line of the profiles, None while there is none to see."""
    return LineLayer(scene.line) if has_profiles(scene) and scene.view.component is not Component.KSPACE else None


def _divider(scene: Scene) -> tuple[Layer, ...]:
    """Return the reference left of the divider, for the panes of results."""
    at = scene.view.divider
    if at is None or scene.reference is None or _missing(scene, scene.reference):
        return ()
    return (DividerLayer(at, _picture(scene, scene.reference), REFERENCE),)


def _time(scene: Scene) -> str:
    """Return the inversion or preparation time of the frame on screen, "" when frames have none."""
    times = scene.snapshot.times_ms
    if times is None or not scene.snapshot.time_name:
        return ""
    return f", {scene.snapshot.time_name} {times[scene.slice_index, scene.frame]:g} ms"


def _short(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the notes that may stand on a picture; whole sentences stand in the series panel and the status bar."""
    return tuple(note for note in notes if len(note) <= LONGEST_BADGE)


def error_row(scene: Scene) -> Row | None:
    """Return the error of each result against the reference, on one scale; None when it is off or there is no reference.

    The picture holds the error itself and its scale ends at (window high / gain): the same colours as gain x error on the scale
    0 to window high, and the number at the end of the bar and under the cursor is the true error.
    """
    mode = scene.view.error_mode
    if mode is ErrorMode.NONE or scene.reference is None or not scene.results:
        return None
    component = scene.view.component
    signed = mode is ErrorMode.SIGNED and component is not Component.KSPACE
    levels = error_levels(scene, component, signed)
    gain = "" if component is Component.KSPACE else f" ×{scene.view.error_gain:g}"
    label = ("signed " if signed else "") + ERROR_WORDS[component].format(gain=gain)
    colormap = "gray" if component is Component.KSPACE else "berlin" if signed else "error"
    line = _line(scene)
    over = () if line is None else (line,)
    frames = [PaneFrame(REFERENCE, ERROR, "Error")]  # its place is free for the scale
    for entry, place in zip(scene.snapshot.results, scene.results, strict=True):
        message = _missing(scene, place)
        if not message and scene.reference.slice_at is None:
            message = "The reference of this slice\nis not computed yet"
        if message:
            frames.append(PaneFrame(entry.key, ERROR, entry.title, message=message))
            continue
        values, invalid = _error(scene, place, scene.reference, signed)
        layers = (ImageLayer(values, colormap, levels, invalid), *over)
        frames.append(PaneFrame(entry.key, ERROR, entry.title, layers=layers))
    return Row(ERROR, tuple(frames), Form.PICTURE, ColorScale(colormap, levels, label))


def error_levels(scene: Scene, component: Component, signed: bool) -> tuple[float, float]:
    """Return the errors at the ends of the scale."""
    low, high = scene.levels(component)
    if component is Component.KSPACE:
        return low, high
    top = max(abs(low), abs(high)) / scene.view.error_gain
    return (-top if signed else 0.0), top


def has_profiles(scene: Scene) -> bool:
    """Whether the row of profiles is shown."""
    return scene.view.show_profile and scene.sizes.frames > 1


def profile_row(scene: Scene) -> Row | None:
    """Return all frames along the profile line, one picture (frame, position) for each pane; None when the row is off."""
    if not has_profiles(scene):
        return None
    component = scene.view.component
    shown = Component.MAGNITUDE if component is Component.KSPACE else component
    levels = scene.levels(shown)
    columns = [(REFERENCE, "Reference", scene.reference)] if scene.reference is not None else []
    columns += [(e.key, e.title, p) for e, p in zip(scene.snapshot.results, scene.results, strict=True)]
    frames: list[PaneFrame] = []
    for key, title, place in columns:
        message = "" if place.slice_at is not None and scene.fits(place) else _missing(scene, place)
        there = place.array.shape[FRAME]
        if not message and there < scene.sizes.frames:  # stretched to the height of the others it would show other frames
            message = f"{there} of {scene.sizes.frames} frames"
        layers: tuple[Layer, ...] = ()
        if not message:
            values, invalid = _profile(scene, place, shown)
            layers = (ImageLayer(values, COLORMAPS[shown], levels, invalid),)
            if place.frame_at is not None:
                layers = (*layers, MarkerLayer(place.frame_at, values.shape[0]))
        badges = () if frames or message else ("x-t along the line, frames ↓",)
        frames.append(PaneFrame(key, PROFILE, title, layers=layers, badges=badges, message=message))
    return Row(PROFILE, tuple(frames), Form.STRIP)


def _image(scene: Scene, place: Place, frame: PaneFrame) -> PaneFrame:
    """Return a frame with its picture under its layers, or with the reason why there is none."""
    message = _missing(scene, place)
    if message:
        return replace(frame, layers=(), message=message)
    picture = _picture(scene, place)
    badges = frame.badges
    if picture.invalid:
        badges = (*badges, f"{picture.invalid} invalid pixel{'s' if picture.invalid > 1 else ''}")
    return replace(frame, layers=(picture, *frame.layers), badges=badges)


def _picture(scene: Scene, place: Place) -> ImageLayer:
    values, invalid = _part(scene, place)
    return ImageLayer(values, COLORMAPS[scene.view.component], scene.levels(scene.view.component), invalid)


def _missing(scene: Scene, place: Place) -> str:
    """Return why a place cannot be shown, "" when it can."""
    if not scene.fits(place):
        height, width = place.array.shape[-2:]
        return f"{height} × {width} pixels, not {scene.sizes.height} × {scene.sizes.width}:\ncannot be compared"
    if place.slice_at is None:
        return f"Slice {scene.slice_index + 1} is not\nreconstructed"
    if place.frame_at is None:
        return f"Frame {scene.frame + 1} is not\nreconstructed yet"
    return ""


def _finish(image: Float, orientation: Orientation) -> Picture:
    return _frozen(np.ascontiguousarray(orientation.apply(image)))


def _frozen(image: Float) -> Picture:
    image.flags.writeable = False
    return Picture(image, int(image.size - np.count_nonzero(np.isfinite(image))))


def _part(scene: Scene, place: Place) -> Picture:
    component, orientation, peak = scene.view.component, scene.orientation, scene.peak
    array, s, f = place
    key = ("image", s, f, component, orientation, peak)
    return CACHE.get((array,), key, lambda: _finish(component_of(array[s, f], component, peak), orientation))


def _error(scene: Scene, place: Place, reference: Place, signed: bool) -> Picture:
    component, orientation, peak = scene.view.component, scene.orientation, scene.peak
    key = ("error", place[1:], reference[1:], component, signed, orientation, peak)

    def make() -> Picture:
        if component in DIFFERENCE_OF_COMPLEX:
            estimate = place.array[place.slice_at, place.frame_at]
            truth = reference.array[reference.slice_at, reference.frame_at]
            return _finish(complex_error(estimate, truth, component, signed=signed, peak=peak), orientation)
        error = _part(scene, place).image - _part(scene, reference).image
        return _frozen(error if signed else np.abs(error, out=error))

    return CACHE.get((place.array, reference.array), key, make)


def complex_error(estimate: Complex, reference: Complex, component: Component, *, signed: bool, peak: float = 1.0) -> Float:
    """Return the error of one frame (y, x) that is not a difference of two pictures, float32.

    Phase: the angle between the two, wrapped. k-space: the logarithmic magnitude of the spectrum of the complex error, in dB of
    the reference's peak.
    """
    if component is Component.KSPACE:
        return decibels(kspace_magnitude(estimate - reference), peak)
    error = component_of(estimate * np.conj(reference), Component.PHASE)
    return error if signed else np.abs(error)


def _profile(scene: Scene, place: Place, component: Component) -> Picture:
    array, at = place.array, place.slice_at
    key = ("profile", at, component, scene.line)

    return CACHE.get((array,), key, lambda: _frozen(sample(array[at], scene.line, component)))


def _outline(scene: Scene) -> Bool | None:
    """Return the dynamic region of the slice in display orientation."""
    region, orientation = scene.snapshot.region, scene.orientation
    if region is None or not scene.view.show_region:
        return None
    pixels = region.pixels
    at = scene.slice_index if pixels.shape[MAP_SLICE] > 1 else 0
    if at >= pixels.shape[MAP_SLICE] or pixels.shape[-2:] != (orientation.height, orientation.width):
        return None

    def make() -> Bool:
        turned = np.ascontiguousarray(orientation.apply(pixels[at]))
        turned.flags.writeable = False
        return turned

    return CACHE.get((pixels,), ("outline", at, orientation), make)


def _stale(entry: ResultEntry, scene: Scene) -> str:
    now, made = scene.snapshot.mask, entry.reconstruction.mask
    if now is None or now is made or entry.preview:
        return ""
    key = ("stale", made.pattern, made.nominal_acceleration, made.acs, made.seed)
    return CACHE.get((made.lines, now.lines), key, lambda: words.stale_text(made, now))


def _details(entry: ResultEntry, scene: Scene) -> str:
    made = entry.reconstruction
    lines = [entry.title, f"{made.mask.pattern.replace('_', ' ')}, {words.acceleration_text(made.mask)}"]
    if made.seconds > 0 and math.isfinite(made.seconds):
        lines.append(f"reconstructed in {words.seconds_text(made.seconds)}")
    if made.weights:
        lines.append(f"weights {made.weights}")
    scores = words.score_details(entry.scores, scene.view.score_region)
    return "\n".join([*lines, scores] if scores else lines)
