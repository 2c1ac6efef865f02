"""What painters draw, by their pixels."""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint

from app.display import layers
from app.display.colors import table, to_rows
from app.display.frames import IMAGE, PROFILE
from app.display.layers import DividerLayer, ImageLayer, Layer, OverlayLayer, RoiLayer
from app.display.shapes import Shape
from app.display.state import ViewState
from app.review.resolve import resolve
from app.views.layers.contract import PAINTERS
from tests.app.views.test_grid import differing

VIEW = ViewState(show_region=False, show_profile=False)


def kinds():
    return [kind for _, kind in inspect.getmembers(layers, inspect.isclass) if issubclass(kind, Layer) and kind is not Layer]


def with_layers(display, *more, key="r0"):
    """Return a display with more layers on one pane."""
    first = display.rows[0]
    panes = tuple(replace(pane, layers=(*pane.layers, *more)) if pane.key == key else pane for pane in first.panes)
    return replace(display, rows=(replace(first, panes=panes), *display.rows[1:]))


def at(pane, x, y):
    place = pane.at(x, y)
    return QPoint(round(place.x()), round(place.y()))


def color(pane, x, y):
    seen = pane.grab().toImage().pixelColor(at(pane, x, y))
    return seen.red(), seen.green(), seen.blue()


@pytest.mark.parametrize("kind", kinds())
def test_each_kind_of_layer_has_a_painter(kind):
    assert callable(PAINTERS.get(kind.__name__))


def test_an_overlay_colours_the_pixels_that_hold_a_number(grid, data):
    display = resolve(data, VIEW)
    grid.apply(display)
    pane = grid.pane("r0")
    bare = color(pane, 2, 2), color(pane, 6, 2)
    values = np.full((7, 9), np.nan, np.float32)
    values[2, 6] = 1.0
    grid.apply(with_layers(display, OverlayLayer(values, "berlin", (0.0, 1.0), 0.5)))
    assert color(pane, 2, 2) == bare[0]
    mixed = (np.array(bare[1]) + table("berlin")[255]) / 2
    np.testing.assert_allclose(color(pane, 6, 2), mixed, atol=2)


def test_left_of_the_divider_results_show_the_reference(grid, data):
    display = resolve(data, replace(VIEW, divider=0.5))
    grid.apply(display)
    pane, reference = grid.pane("r1"), grid.pane("reference")
    assert color(pane, 1, 3) == color(reference, 1, 3)
    own = to_rows(np.abs(data.results[1].reconstruction.image[0, 0]).astype(np.float32), display.window)
    assert color(pane, 7, 3)[0] == table("gray")[own[3, 7], 0]
    assert layers.first(reference.frame.layers, DividerLayer) is None, "the reference needs none"


@pytest.mark.parametrize("shape", [Shape.RECTANGLE, Shape.ELLIPSE, Shape.POLYGON, Shape.FREEHAND, Shape.CONTOUR, Shape.POINT])
def test_shapes_are_drawn_inside_the_box_of_their_points(grid, data, shape):
    display = resolve(data, VIEW)
    grid.apply(display)
    pane = grid.pane("r0")
    before = pane.grab().toImage()
    corners = ((2.0, 2.0), (6.0, 2.0), (6.0, 5.0), (2.0, 5.0))
    two = shape in (Shape.RECTANGLE, Shape.ELLIPSE)
    points = corners[::2] if two else corners[:1] if shape is Shape.POINT else corners
    grid.apply(with_layers(display, RoiLayer(shape, points, "#ff0000", "roi")))
    after = pane.grab().toImage()
    changed = differing(before, after)
    assert len(changed) > 20
    left, top = at(pane, *points[0]).toTuple()
    right, bottom = at(pane, *points[-1 if two else -2 if len(points) > 1 else 0]).toTuple()
    room = 12 if shape is Shape.POINT else 8 + 0.13 * (right - left)  # a smooth line goes round its corners
    assert (changed.min(axis=0) > np.array((left, top)) - room).all()
    assert (changed.max(axis=0) < np.array((right, bottom)) + room).all()


def test_a_picture_is_coloured_once_and_forgotten_when_it_goes(grid, data):
    link = grid.link
    display = resolve(data, VIEW)
    grid.apply(display)
    grid.grab()
    picture = display.panes[0].picture
    assert link.colored(picture) is link.colored(replace(picture))
    assert len(link._pictures) == 5, "three images and two errors"
    grid.apply(resolve(data, replace(VIEW, frame=1)))
    assert link._pictures == {}


def test_a_new_kind_of_row_needs_nothing_but_its_frames(grid, data):
    """Rows are not fixed: a second strip and a third picture are placed and drawn."""
    display = resolve(data, ViewState())
    picture, strip = display.rows[1], display.rows[2]
    more = replace(picture, name="other", scale=None), replace(strip, name="second")
    grid.apply(replace(display, rows=(*display.rows, *more)))
    boxes = [pane.geometry() for key in ("r0", "r1") for row in (PROFILE, "second") if (pane := grid.pane(key, row))]
    boxes += [grid.pane(key, "other").geometry() for key in ("r0", "r1")]
    assert len(boxes) == 6
    assert all(box.width() > 20 and box.height() > 10 for box in boxes)
    assert not any(a.intersects(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert isinstance(grid.pane("r1", "other").frame.layers[0], ImageLayer)
    assert grid.pane("r1", IMAGE).isVisible()
