"""Our own drawing of a chest in short axis: the heart with two ventricles, and what lies round it.

Coordinates in mm: x to the right of the picture (the patient's left), y down (from the chest to the back), 0 in the middle of the
field of view. Shapes are laid over each other from the outside in, so that for example the crescent of the right ventricle is what
the left one leaves of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.core.types import Float
from engine.phantom.motion import Heart, HeartState, draw_heart, smooth_step
from engine.phantom.shapes import Canvas, Contour, Ellipse
from engine.phantom.streams import Purpose, stream
from engine.phantom.tissues import Structure

TORSO_MM = (266.0, 292.0)  # outer size (y, x) at scale 1
MARGIN = 1.075  # the largest scale, the curve's tilt, and some air
LV_CENTRE_MM = (-15.0, 32.0)
RV_WALL_MM = 3.6


def automatic_voxel(matrix: tuple[int, int]) -> tuple[float, float]:
    """Return the smallest square pixel (y, x) in mm with which ``matrix`` (y, x) holds the chest of any seed."""
    pixel = max(mm * MARGIN / (n - 2) for mm, n in zip(TORSO_MM, matrix, strict=True))
    return pixel, pixel


@dataclass(frozen=True, slots=True)
class _Vessels:
    """Cut blood vessels: centres (y, x), half axes (short, long) in mm and directions in radians."""

    rows: tuple[tuple[float, float, float, float, float], ...]

    def ellipses(self, dy: float = 0.0, dx: float = 0.0) -> list[Ellipse]:
        """Return their outlines, moved."""
        return [Ellipse(y + dy, x + dx, short, long, angle) for y, x, short, long, angle in self.rows]


class Chest:
    """One chest, made from a seed; :meth:`plane` draws it.

    Parameters
    ----------
    seed
        Decides size, place and function. The same seed is the same person at any matrix size and in any slice.
    """

    def __init__(self, seed: int) -> None:
        rng = stream(seed, Purpose.ANATOMY)
        self.heart: Heart = draw_heart(rng)
        self.scale = float(rng.uniform(0.96, 1.04))
        self.lv_centre = (LV_CENTRE_MM[0] + rng.uniform(-4, 4), LV_CENTRE_MM[1] + rng.uniform(-5, 5))
        self.septum = np.pi + rng.uniform(0.30, 0.55)  # direction from the LV to the RV: to the left and up
        self.fat_mm = float(rng.uniform(8.0, 16.0))
        self.wall_mm = float(rng.uniform(13.0, 17.0))
        self.rv_size = float(rng.uniform(0.95, 1.05))
        self.wobble = rng.normal(size=(4, 6))
        self.liver_dome = float(rng.uniform(10.0, 16.0))
        self.lung_vessels = _vessels(rng, 70, (-85, 40), (-118, 122), root=(-10.0, 8.0), caliber=(0.7, 2.2))
        self.liver_vessels = _vessels(rng, 22, (28, 80), (-112, -18), root=(60.0, -30.0), caliber=(1.0, 3.2))

    def plane(self, shape: tuple[int, int], voxel_mm: tuple[float, float], z_mm: float) -> Plane:
        """Return the short-axis plane ``z_mm`` above the apex, to be drawn at moments."""
        return Plane(self, shape, voxel_mm, z_mm)

    def body(self, inset_mm: float = 0.0) -> Contour:
        """Return the outline of the chest, moved inwards: a rounded box, flatter at the back."""
        radius = 0.5 * float(np.mean(TORSO_MM)) * self.scale
        return Contour(0.0, 0.0, radius - inset_mm, (0.0, 0.047, 0.0, -0.018), (0.012, 0.0, -0.008, 0.0))


def _vessels(
    rng: np.random.Generator,
    n: int,
    y: tuple[float, float],
    x: tuple[float, float],
    root: tuple[float, float],
    caliber: tuple[float, float],
) -> _Vessels:
    """Return vessels scattered over a box: thinner and more often cut across far from the root they branch from."""
    rows = []
    for _ in range(n):
        at_y, at_x = rng.uniform(*y), rng.uniform(*x)
        away = float(np.hypot(at_y - root[0], at_x - root[1])) / 100.0
        short = (caliber[0] + (caliber[1] - caliber[0]) * rng.uniform() ** 2) * float(np.clip(1.5 - away, 0.5, 1.2))
        long = short * rng.uniform(1.0, 4.0)
        angle = float(np.arctan2(at_y - root[0], at_x - root[1])) + rng.normal(0.0, 0.35)
        rows.append((float(at_y), float(at_x), float(short), float(long), float(angle)))
    return _Vessels(tuple(rows))


class Plane:
    """A short-axis plane of a :class:`Chest`: what stands still is drawn once, what moves at each call of :meth:`at`."""

    def __init__(self, chest: Chest, shape: tuple[int, int], voxel_mm: tuple[float, float], z_mm: float) -> None:
        self._chest = chest
        self.z_mm = z_mm
        self._still = Canvas(len(Structure), shape, voxel_mm)
        self._draw_still(self._still)

    def at(self, phase: float, drift_mm: tuple[float, float] = (0.0, 0.0)) -> Float:
        """Return shares (structure, y, x), sum 1, at ``phase`` 0 ... 1 of the beat with organs displaced by ``drift_mm`` (y, x)."""
        canvas = self._still.copy()
        self._draw_abdomen(canvas, *drift_mm)
        self._draw_heart(canvas, self._chest.heart.at(phase, self.z_mm), *drift_mm)
        return canvas.shares

    def _draw_still(self, canvas: Canvas) -> None:
        chest, s = self._chest, self._chest.scale
        fat, wall = chest.fat_mm, chest.wall_mm
        # skin, fat under it, and two layers of muscle with a seam of fat
        for structure, inset in (
            (Structure.MUSCLE, 0.0),
            (Structure.FAT, 2.0),
            (Structure.MUSCLE, fat),
            (Structure.FAT, fat + 0.36 * wall),
            (Structure.MUSCLE, fat + 0.36 * wall + 1.3),
        ):
            canvas.paint(structure, chest.body(inset))
        ring = chest.body(fat + 0.68 * wall)
        for k in range(11):
            angle = -0.5 * np.pi + (k - 5) * 0.52 + 0.26
            y, x = ring.point(angle)
            tangent = angle + 0.5 * np.pi
            canvas.paint(Structure.FAT, Ellipse(y, x, 4.4, 12.0, tangent))
            canvas.paint(Structure.BONE, Ellipse(y, x, 3.6, 9.0, tangent))
            canvas.paint(Structure.MARROW, Ellipse(y, x, 2.2, 7.4, tangent))
        canvas.paint(Structure.FAT, self._cavity(-1.5))
        canvas.paint(Structure.LUNG, self._cavity())
        y, x = chest.body(fat + 0.75 * wall).point(-0.5 * np.pi - 0.16)
        canvas.paint(Structure.BONE, Ellipse(y, x, 6.0, 17.0))
        canvas.paint(Structure.MARROW, Ellipse(y, x, 4.4, 15.2))
        canvas.paint(Structure.MUSCLE, Ellipse(98 * s, -46 * s, 20, 34, 0.15))
        canvas.paint(Structure.MUSCLE, Ellipse(98 * s, 36 * s, 20, 34, -0.15))

    def _cavity(self, inset_mm: float = 0.0) -> Contour:
        return self._chest.body(self._chest.fat_mm + self._chest.wall_mm + inset_mm)

    def _draw_abdomen(self, canvas: Canvas, dy: float, dx: float) -> None:
        chest, cavity, s = self._chest, self._cavity(), self._chest.scale
        for vessel in chest.lung_vessels.ellipses(0.6 * dy, 0.6 * dx):
            canvas.paint(Structure.VESSEL, vessel, cavity)
        # nearer to the apex the diaphragm stands higher
        rise = 0.14 * (self.z_mm - 45.0)
        dome = chest.liver_dome + rise + dy
        canvas.paint(Structure.MUSCLE, Ellipse(dome + 67, 34 + dx, 61, 126, 0.06), cavity)
        canvas.paint(Structure.FAT, Ellipse(dome + 68.5, 34 + dx, 60.5, 125, 0.06), cavity)
        canvas.paint(Structure.MUSCLE, Ellipse(dome + 71, -50 + dx, 71, 94, 0.12), cavity)
        canvas.paint(Structure.LIVER, Ellipse(dome + 71.5, -50 + dx, 69, 92, 0.12), cavity)
        for vessel in chest.liver_vessels.ellipses(rise + dy, dx):
            canvas.paint(Structure.VESSEL, vessel, cavity)
        # stomach with its wall, folds and content; spleen
        canvas.paint(Structure.MUSCLE, Ellipse(dome + 47, 60 + dx, 24, 33, 0.45), cavity)
        canvas.paint(Structure.SPLEEN, Ellipse(dome + 48, 60 + dx, 20, 29, 0.45), cavity)
        canvas.paint(Structure.LUNG, Ellipse(dome + 37, 63 + dx, 6, 15, 0.30), cavity)
        canvas.paint(Structure.SPLEEN, Ellipse(dome + 55, 103 + dx, 34, 14, -0.25), cavity)
        # the spine and the aorta before it do not breathe
        canvas.paint(Structure.MUSCLE, Ellipse(96 * s, -4, 30, 44))
        canvas.paint(Structure.BONE, Ellipse(80 * s, -4, 20.5, 24))
        canvas.paint(Structure.MARROW, Ellipse(80 * s, -4, 18.5, 22))
        canvas.paint(Structure.BONE, Ellipse(108 * s, -4, 11, 12))
        canvas.paint(Structure.CSF, Ellipse(107 * s, -4, 7, 9))
        canvas.paint(Structure.BONE, Ellipse(122 * s, -4, 9, 3))
        canvas.paint(Structure.FAT, Ellipse(58 * s, 19, 13.5, 14))
        canvas.paint(Structure.MUSCLE, Ellipse(58 * s, 19, 11.6, 11.9))
        canvas.paint(Structure.VESSEL, Ellipse(58 * s, 19, 10.4, 10.7))

    def _draw_heart(self, canvas: Canvas, state: HeartState, dy: float, dx: float) -> None:
        chest = self._chest
        # the whole heart rocks a little towards the chest wall while it contracts
        y, x = chest.lv_centre[0] + dy - 1.0 * state.c, chest.lv_centre[1] + dx - 1.5 * state.c
        # the sac of the heart, and how large the right ventricle is in this plane, follow from end-diastole
        end_diastole = chest.heart.at(0.0, self.z_mm)
        rv = smooth_step((end_diastole.height - 0.10) / 0.50) * chest.rv_size
        if end_diastole.epi_mm > 0:
            sac = 0.3 * end_diastole.epi_mm + 0.7 * state.epi_mm
            _draw_pericardium(canvas, chest, y, x, sac, rv * (1.0 - 0.13 * state.c))
        if rv > 0.15:
            _draw_right_ventricle(canvas, chest, state, y, x, rv)
        _draw_left_ventricle(canvas, chest, state, y, x)


def _draw_pericardium(canvas: Canvas, chest: Chest, y: float, x: float, epi: float, rv: float) -> None:
    """Lay the fat that the heart moves in: a thin layer, thicker in the grooves and towards the breastbone."""
    toward_y, toward_x = np.sin(chest.septum), np.cos(chest.septum)
    reach = max(epi, 66.0 * rv)  # from the LV's centre to the free wall of the RV
    shift = 0.5 * (reach - epi)
    size = 0.5 * (reach + epi)
    centre_y, centre_x = y + shift * toward_y, x + shift * toward_x
    if rv > 0.15:
        canvas.paint(
            Structure.FAT, Ellipse(centre_y - 0.62 * size, centre_x - 0.38 * size, 22 * rv, 30 * rv, 0.2), chest.body(26.0)
        )
        canvas.paint(Structure.FAT, Ellipse(centre_y + 0.66 * size, centre_x - 0.30 * size, 14 * rv, 26 * rv, 0.5))
    canvas.paint(Structure.FAT, Contour(centre_y, centre_x, size + 4.5, (0.0, 0.04), (0.02, 0.0), chest.septum))


def _draw_right_ventricle(canvas: Canvas, chest: Chest, state: HeartState, y: float, x: float, size: float) -> None:
    distance = 33.0 * size * (1.0 - 0.17 * state.c)
    radius = 37.0 * size * (1.0 - 0.22 * state.c)
    centre_y, centre_x = y + distance * np.sin(chest.septum), x + distance * np.cos(chest.septum)
    w = 0.012 * chest.wobble[0]
    cosine, sine = (0.0, -0.17, 0.05 + w[0], w[1], 0.6 * w[2]), (0.0, 0.05 + w[3], w[4], 0.5 * w[5])
    wall = RV_WALL_MM * (1.0 + 0.35 * state.c)
    canvas.paint(Structure.RV_WALL, Contour(centre_y, centre_x, radius + wall, cosine, sine, chest.septum))
    canvas.paint(Structure.RV_BLOOD, Contour(centre_y, centre_x, radius, cosine, sine, chest.septum))
    # trabeculae: strands of muscle that lean on the free wall
    for k, angle in enumerate((-0.9, -0.35, 0.25, 0.8)):
        t = chest.septum + angle + 0.08 * chest.wobble[1, k]
        along = radius * (0.80 - 0.05 * abs(chest.wobble[2, k]))
        canvas.paint(
            Structure.RV_WALL,
            Ellipse(centre_y + along * np.sin(t), centre_x + along * np.cos(t), 1.5 + 0.4 * state.c, 4.0 * size, t),
        )


def _draw_left_ventricle(canvas: Canvas, chest: Chest, state: HeartState, y: float, x: float) -> None:
    w = chest.wobble[3]
    if state.epi_mm < 1.0:
        return
    cosine, sine = (0.0, 0.02 * w[0], 0.012 * w[1]), (0.0, 0.02 * w[2], 0.012 * w[3])
    canvas.paint(Structure.LV_MYOCARDIUM, Contour(y, x, state.epi_mm, cosine, sine, state.twist))
    if state.endo_mm < 1.0:
        return
    rough = 0.009 * (1.0 + 0.6 * state.c)
    ripple_c, ripple_s = (rough * w[4], rough * w[5], rough), (rough * w[1], -rough * w[2], 0.7 * rough)
    canvas.paint(Structure.LV_BLOOD, Contour(y, x, state.endo_mm, (*cosine, *ripple_c), (*sine, *ripple_s), state.twist))
    # two papillary muscles, from the lower to the upper third of the cavity; their section grows as they shorten
    presence = smooth_step((state.height - 0.18) / 0.12) * smooth_step((0.86 - state.height) / 0.12)
    if presence > 0.05:
        lateral = chest.septum - np.pi
        for angle, size in ((lateral - 0.72, 1.0), (lateral + 1.25, 0.92)):
            t = angle + state.twist
            r = state.endo_mm * (0.70 - 0.05 * state.c)
            thick = 4.4 * size * (1.0 + 0.12 * state.c) * presence * min(1.0, state.endo_mm / 13.0)
            canvas.paint(Structure.PAPILLARY, Ellipse(y + r * np.sin(t), x + r * np.cos(t), thick, 1.2 * thick, t))
