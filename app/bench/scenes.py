"""What the display is measured with: a beating disc and images that differ from it a little."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.display.shapes import Point
from app.document.case import Result
from engine.core.types import Complex, ImageSeries, Kind, Reconstruction, SamplingMask


@dataclass(frozen=True, slots=True)
class Scene:
    """Panes of ``size`` x ``size`` pixels and ``frames`` frames; ``errors``: with error maps and x-t profiles too."""

    panes: int
    size: int
    frames: int
    errors: bool = False

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.panes} panes {self.size} x {self.size} x {self.frames}" + (", errors and profiles" if self.errors else "")

    def images(self) -> Complex:
        """Return the reference (slice, frame, y, x): a disc that beats, with texture and a phase."""
        y, x = np.mgrid[: self.size, : self.size] / self.size - 0.5
        phase = np.exp(1j * (2 * x + 3 * y))
        texture = 0.6 + 0.2 * np.sin(40 * x) * np.cos(31 * y)
        beat = 0.3 + 0.05 * np.sin(2 * np.pi * np.arange(self.frames) / self.frames)
        edge = (beat[:, None, None] - np.hypot(x, y)) * self.size / 3
        made: Complex = ((texture / (1 + np.exp(-edge)) + 0.05) * phase)[None].astype(np.complex64)
        return made

    def series(self) -> ImageSeries:
        """Return it as a series."""
        return ImageSeries(self.images(), Kind.CINE, name=self.name)

    def results(self, number: Callable[[], int]) -> tuple[Result, ...]:
        """Return a result for each pane but the first."""
        lines = np.zeros((1, self.size, 1), np.bool_)
        lines[:, ::4] = True
        mask, rng, truth = SamplingMask(lines, "equispaced", 4.0, None, 0), np.random.default_rng(0), self.images()
        made = []
        for index in range(1, self.panes):
            noise = rng.normal(0, 0.01 * index, (2, *truth.shape)).astype(np.float32)
            image = (truth + noise[0] + 1j * noise[1]).astype(np.complex64)
            slices, frames = (0,), tuple(range(self.frames))
            reconstruction = Reconstruction(image, f"method {index}", slices, frames, mask, seconds=float(index))
            made.append(Result(f"r{index}", f"method_{index}", f"Method {index}", mask, reconstruction, stamp=number()))
        return tuple(made)

    def pictures(self) -> list[NDArray[np.float32]]:
        """Return magnitudes (frame, y, x) of all panes, for those who know no sessions."""
        images = [self.images(), *(result.reconstruction.image for result in self.results(lambda: 0))]
        return [np.abs(image[0]).astype(np.float32) for image in images]


SCENES: Final = (Scene(9, 256, 20), Scene(4, 512, 30), Scene(9, 256, 20, errors=True))


def ring(middle: float, radius: float) -> Iterator[Point]:
    """Yield eight points round a middle."""
    for index in range(8):
        angle = index * math.pi / 4
        yield middle + radius * math.cos(angle), middle + radius * math.sin(angle)
