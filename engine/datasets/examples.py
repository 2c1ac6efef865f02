"""Undersampled examples with their truth, ready for a network; example ``n`` of a stream depends on the seed and ``n`` only."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.core.axes import KX, KY
from engine.datasets.acquisition import Acquisition, Scene, acquire
from engine.datasets.augment import Augmentation
from engine.datasets.masks import Masks
from engine.datasets.sources import Item
from engine.physics.coil_maps import estimate
from engine.physics.coils import combine
from engine.physics.fourier import fft2c
from engine.sampling.acs import centre_lines, sampled_centre

REFERENCE_ACS = 24
CROP_SHARE, CROP_DRAWS = 0.25, 8  # energy that a crop must hold, as a share of the mean crop's; how often it is drawn


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One problem and its truth, on the scale of the data.

    Parameters
    ----------
    kspace
        complex64 (1, frame, coil, ky, kx), zero where ``mask`` is.
    mask
        bool (1, frame or 1, 1, ky, kx or 1).
    maps
        complex64 (1, 1, coil, y, x), estimated from the undersampled data as in a reconstruction.
    target
        complex64 (1, frame, y, x), the fully sampled image combined with maps of its own centre; None when nothing was ever fully
        sampled.
    full
        complex64 (1, frame, coil, ky, kx), all that was measured: what k-space losses and self-supervision compare with.
    measured
        bool like ``mask``, where ``full`` holds samples; None when everywhere.
    times_ms
        float32 (1, frame) or None.
    acs
        Number of centre lines, None when there are none.
    subject
        Who it is of.
    """

    kspace: Tensor
    mask: Tensor
    maps: Tensor
    target: Tensor | None
    full: Tensor
    measured: Tensor | None
    times_ms: Tensor | None
    acs: int | None
    subject: str

    def to(self, device: torch.device) -> Example:
        """Return the example on another device."""
        moved: dict[str, Any] = {}
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            moved[one.name] = value.to(device) if isinstance(value, Tensor) else value
        return Example(**moved)


class Prepared:
    """What all examples of one scene share, found once: its k-space, its truth, and where along the readout there is something."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.kspace = fft2c(scene.coil_images)
        self.energy = torch.view_as_real(scene.coil_images).square().sum((0, 1, 2, 4)).cumsum(0)  # up to each column
        self.target: Tensor | None = None
        if scene.acquired is None:
            height = self.kspace.shape[KY]
            first = height // 2 - min(REFERENCE_ACS, height) // 2
            whole = torch.ones((1, height, 1), dtype=torch.bool)
            own = estimate(self.kspace, whole, (first, first + min(REFERENCE_ACS, height)))
            self.target = combine(scene.coil_images, own)


def make_example(scene: Scene | Prepared, masks: Masks, columns: int | None, rng: np.random.Generator) -> Example:
    """Return an example of a scene: maps estimated, mask drawn, cropped to ``columns`` along the readout.

    What was undersampled when it was measured keeps its own mask: it would hardly have samples left under a second one.

    The crop is an exact, smaller problem of the physics: with whole readout lines measured, columns are independent after the
    inverse transform along the readout. It is not made where the mask, or what was acquired, varies along kx. It is not exact for
    what a network takes over whole images: its borders, instance norms, singular values, and the number that k-space is divided by,
    which is taken of the crop.
    """
    prepared = scene if isinstance(scene, Prepared) else Prepared(scene)
    scene, kspace, target = prepared.scene, prepared.kspace, prepared.target
    frames, _, height, width = kspace.shape
    drawn = masks.draw((frames, height, width), rng)
    lines, centre = torch.from_numpy(drawn.lines.copy()), drawn.acs
    if scene.acquired is not None:
        lines = scene.acquired
        count = sampled_centre(lines.numpy(), REFERENCE_ACS)
        block = None if count is None else centre_lines(height, count)
        centre = None if block is None else (block.start, block.stop)
    maps = estimate(kspace * lines[:, None], lines, centre)
    if (
        columns is not None
        and columns < width
        and lines.shape[KX] == 1
        and (scene.acquired is None or scene.acquired.shape[KX] == 1)
    ):
        start = _crop_start(prepared.energy, columns, rng)
        cut = slice(start, start + columns)
        kspace = fft2c(scene.coil_images[..., cut])
        maps, target = maps[..., cut], None if target is None else target[..., cut]
    return Example(
        kspace=(kspace * lines[:, None])[None],
        mask=lines[None, :, None],
        maps=maps[None].contiguous(),
        target=None if target is None else target[None].contiguous(),
        full=kspace[None],
        measured=None if scene.acquired is None else scene.acquired[None, :, None],
        times_ms=None if scene.times_ms is None else scene.times_ms[None],
        acs=None if centre is None else centre[1] - centre[0],
        subject=scene.subject,
    )


def _crop_start(energy: Tensor, columns: int, rng: np.random.Generator) -> int:
    """Draw the first column of a crop, again when there is hardly anything in it: noise alone teaches nothing.

    ``energy`` is summed up to each column. An empty crop would be scaled up to the brightness of an image: one in a hundred had a
    loss twenty times that of the others.
    """
    least = CROP_SHARE * float(energy[-1]) * columns / len(energy)
    start = 0
    for _ in range(CROP_DRAWS):
        start = int(rng.integers(0, len(energy) - columns + 1))
        held = float(energy[start + columns - 1]) - (float(energy[start - 1]) if start else 0.0)
        if held >= least:
            break
    return start


class Stream:
    """An endless stream of training examples.

    Parameters
    ----------
    items, weights
        Slices to draw from, and how often each is drawn.
    masks, acquisition, augmentation
        How examples are made.
    columns
        Crop along the readout, None for the whole readout.
    reuse
        How many examples in a row come from one scene (its coils and noise are simulated once).
    seed
        Everything depends on it and on the number of the example.
    """

    def __init__(
        self,
        items: Sequence[Item],
        weights: Sequence[float],
        masks: Masks,
        acquisition: Acquisition,
        augmentation: Augmentation | None,
        columns: int | None,
        reuse: int,
        seed: int,
    ) -> None:
        self._items = list(items)
        share = np.asarray(weights, dtype=np.float64)
        self._share = share / share.sum()
        self._masks, self._acquisition, self._augmentation = masks, acquisition, augmentation
        self._columns, self._reuse, self._seed = columns, max(1, reuse), seed
        self._kept: tuple[int, Prepared] | None = None

    def __getitem__(self, number: int) -> Example:
        """Return example ``number``, 0 or more."""
        scene = self._scene(number // self._reuse)
        return make_example(scene, self._masks, self._columns, np.random.default_rng((self._seed, 2, number)))

    def _scene(self, number: int) -> Prepared:
        kept = self._kept
        if kept is not None and kept[0] == number:
            return kept[1]
        rng = np.random.default_rng((self._seed, 1, number))
        item = self._items[int(rng.choice(len(self._items), p=self._share))]
        prepared = Prepared(acquire(item.draw(rng), self._acquisition, self._augmentation, rng))
        self._kept = (number, prepared)
        return prepared
