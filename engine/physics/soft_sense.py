"""SENSE with several sets of coil maps, for images in which a pixel holds what no single set can describe.

Where tissue folds over, or ends at the edge of the field of view, several places or several sides of a jump share a pixel, each
with coil sensitivities of its own. The model is then ``k = M F sum_m S_m x_m`` with a set of maps S_m and an image x_m for each m
(soft SENSE: Uecker et al., MRM 71 (2014), 990, eqs. 12 and 13). The first set is there everywhere; the others are zero where
one set explains the calibration data, so that the problem grows by the folded part of the field only.

The images x_m lie along the batch axis: whatever treats the images of a batch alike (transforms, thresholds, denoisers) serves
without a change, and the data term couples them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from engine.core.axes import COIL, KSPACE_FRAME, KSPACE_SLICE, KY, SLICE, X, Y
from engine.core.errors import ShapeError
from engine.physics.coils import combine, sum_over_coils
from engine.physics.gram import GramOperator, gram_matrices, worth_a_gram
from engine.physics.operator import GRAM_LIMIT_MIB, SenseOperator, pick

_ROWS = -2  # of columns (set, x, y, frame)


class SoftSenseOperator(SenseOperator):
    """``A = M F [S_1 S_2 ...]``: k-space (1, frame, coil, ky, kx) of images (set, frame, y, x).

    Parameters
    ----------
    mask
        As in :class:`engine.physics.operator.SenseOperator`, with a batch of 1.
    maps
        Complex (set, 1, coil, y, x). Sets but the first may be zero in parts of the field; those cost nothing.
    gram_limit_mib
        As there.

    Raises
    ------
    ShapeError
        When the mask has a batch, or the maps differ from frame to frame.
    """

    _coupled = (SLICE, Y, X)

    def __init__(self, mask: Tensor, maps: Tensor, gram_limit_mib: float = GRAM_LIMIT_MIB) -> None:
        super().__init__(mask, maps, gram_limit_mib)
        if mask.shape[KSPACE_SLICE] != 1 or maps.shape[KSPACE_FRAME] != 1:
            raise ShapeError(
                "several sets of coil maps need one slice, and the same maps for all frames (expected mask (1, ...) and maps "
                f"(set, 1, ...) / found {tuple(mask.shape)} and {tuple(maps.shape)})",
                "Reconstruct slice by slice.",
            )

    def merge(self, image: Tensor) -> Tensor:
        """Return :func:`merge_sets` of images (set, frame, y, x); an image of which there is one already as it is."""
        return merge_sets(image, self.maps)

    # --- A and its adjoint --------------------------------------------------------------------------------------------

    def _forward(self, image: Tensor) -> Tensor:
        frames = image.shape[1]
        kspace = image.new_empty((1, frames, *self.maps.shape[COIL:]))
        for part in self._parts(frames, image.device):
            torch.mul(self._spectrum(image, 0, part), pick(self._sampling, 0, part), out=kspace[0, part])
        return kspace

    def _spectrum(self, image: Tensor, b: int | slice, part: slice) -> Tensor:
        del b
        spectrum: Tensor = torch.fft.fft2(_sum_of_sets(image[:, part].unsqueeze(COIL), self._sensitivities), norm="ortho")
        return spectrum

    def _adjoint(self, kspace: Tensor) -> Tensor:
        image = kspace.new_empty((len(self.maps), kspace.shape[1], *self.maps.shape[KY:]))
        conjugate = self._sampling.conj().resolve_conj()
        for part in self._parts(kspace.shape[1], kspace.device):
            coils = torch.fft.ifft2(kspace[0, part] * pick(conjugate, 0, part), norm="ortho")
            for number, one in enumerate(self._conjugate):
                image[number, part] = sum_over_coils(coils, one)
        return image

    def _normal(self, image: Tensor) -> Tensor:
        result = torch.empty_like(image)
        if not self.full_readout:
            energy = self._weight.square()
            for part in self._parts(image.shape[1], image.device):
                spectrum = torch.fft.fft2(_sum_of_sets(image[:, part].unsqueeze(COIL), self._sensitivities))
                coils = torch.fft.ifft2(spectrum.mul_(pick(energy, 0, part)))
                for number, one in enumerate(self._conjugate):
                    result[number, part] = sum_over_coils(coils, one)
            return result
        sensitivities, conjugate, energy = self._turned_arrays()
        for part in self._parts(image.shape[1], image.device):
            turned = image[:, part].mT.contiguous().unsqueeze(COIL)
            spectrum = torch.fft.fft(_sum_of_sets(turned, sensitivities))
            coils = torch.fft.ifft(spectrum.mul_(pick(energy, 0, part)))
            for number, one in enumerate(conjugate):
                result[number, part] = sum_over_coils(coils, one).mT
        return result

    def _parts(self, frames: int, device: torch.device) -> Iterator[slice]:
        """Yield the frames to work on at once."""
        return (part for _, part in self._chunks(1, frames, device))

    def _make_gram(self, check: Callable[[], None] | None) -> GramOperator | None:
        if not self.full_readout:
            return None
        energy, groups = self._groups()
        rows = _rows_in_use(self.maps)
        if not worth_a_gram(self.maps, 1, sum(map(len, rows)), groups, self.gram_limit_mib):
            return None
        packed = torch.cat([one[..., at, :] for one, at in zip(self.maps.unsqueeze(1), rows, strict=True)], dim=KY)
        matrices = gram_matrices(energy, packed, check, torch.cat(rows))
        return SoftGramOperator(matrices, groups, rows)

    def _check_kspace(self, kspace: Tensor) -> None:
        if kspace.ndim == 5 and kspace.shape[0] != 1:
            raise ShapeError(f"several sets of coil maps serve one slice (found {kspace.shape[0]})", "Give one slice at a time.")
        super()._check_kspace(kspace.expand(len(self.maps), *kspace.shape[1:]))


def _sum_of_sets(images: Tensor, sensitivities: Tensor) -> Tensor:
    """Return ``sum_m S_m x_m``, complex (frame, coil, y, x), from images (set, frame, 1, y, x) and maps (set, 1, coil, y, x)."""
    total = images[0] * sensitivities[0]
    for image, sensitivity in zip(images[1:], sensitivities[1:], strict=True):
        total.addcmul_(image, sensitivity)
    return total


def _rows_in_use(maps: Tensor) -> list[Tensor]:
    """Return for each set the rows y where its maps (set, 1, coil, y, x) are not zero; for the first all rows."""
    used = (maps != 0).flatten(1, 2).any(1).any(-1)  # (set, y)
    return [torch.arange(maps.shape[KY], device=maps.device), *(one.nonzero().squeeze(1) for one in used[1:])]


def sense_operator(mask: Tensor, maps: Tensor) -> SenseOperator:
    """Return the operator of one slice, from its mask (1, frame or 1, 1, ky, kx or 1) and sets of maps (set, 1, coil, y, x)."""
    return SenseOperator(mask, maps) if len(maps) == 1 else SoftSenseOperator(mask, maps)


def combine_sets(coil_images: Tensor, maps: Tensor) -> Tensor:
    """Return the images (set, frame, y, x) that explain coil images best; zero where a set has no maps.

    Parameters
    ----------
    coil_images
        Complex (frame, coil, y, x), or with a batch of 1 before.
    maps
        Complex (set, frame or 1, coil, y, x), sets orthogonal to each other.
    """
    images = [combine(coil_images, one).reshape(-1, *coil_images.shape[-2:]) for one in maps[:, None].unbind()]
    if len(maps) == 1:
        return images[0][None]
    return at_full_strength(torch.stack(images), maps)


def at_full_strength(images: Tensor, maps: Tensor) -> Tensor:
    """Return ``S_m^H c`` (set, frame, y, x) divided by ``S_m^H S_m``, which is less than 1 where a second set fades out."""
    if len(images) == 1:
        return images
    strength = maps.abs().square().sum(COIL)
    return images * torch.where(strength > 0, 1.0 / strength, 0.0)


def merge_sets(images: Tensor, maps: Tensor) -> Tensor:
    """Return the image that is shown, complex (1, frame, y, x), from images (set, frame, y, x) and maps (set, 1, coil, y, x).

    Its magnitude is the root sum of squares of the coil images ``sum_m S_m x_m``, as sets are orthogonal in every pixel, and x_1
    itself where there is no other set. Its phase is that of the set which holds most in this pixel over all frames, so that a
    signal that changes its sign from frame to frame keeps it. No sum of the x_m would do: their phases have nothing to do with
    each other, and they would cancel.
    """
    if len(images) == 1:
        return images
    strength = maps.abs().square().sum(COIL)  # (set, 1, y, x)
    energy = images.abs().square() * strength
    leader = energy.sum(1, keepdim=True).argmax(0, keepdim=True)  # (1, 1, y, x)
    led = images.gather(0, leader.expand(1, *images.shape[1:]))
    alone = (strength[1:] == 0).all(0, keepdim=True)
    return torch.where(alone, images[:1], torch.polar(energy.sum(0, keepdim=True).sqrt(), led.angle()))


class SoftGramOperator(GramOperator):
    """The Gram operator of several sets of maps: one matrix for each readout position over the rows in use of all sets.

    Images are (set, frame, y, x) and columns (set, x, y, frame), as everywhere; rows that a set does not use are left out of the
    matrices, ``(batch 1, group, x, row, row')``.
    """

    def __init__(self, matrices: Tensor, groups: Sequence[Sequence[int]] | None, rows: list[Tensor]) -> None:
        super().__init__(matrices, groups)
        self._rows = rows

    def apply_columns(self, columns: Tensor) -> Tensor:
        """Return ``A^H A`` times (set, x, y, frame), in that layout. Not differentiable."""
        return self._unpacked(super().apply_columns(self._packed(columns)), torch.zeros_like(columns))

    def solve_columns(self, columns: Tensor, weight: float) -> Tensor:
        """Return ``(A^H A + weight I)^-1`` times (set, x, y, frame), in that layout. Not differentiable."""
        # Rows that a set does not use are not seen by the data: there the weight alone is left.
        return self._unpacked(super().solve_columns(self._packed(columns), weight), columns / weight)

    def _check(self, image: Tensor) -> None:
        if image.ndim != 4 or image.shape[0] != len(self._rows):
            raise ShapeError(
                f"there is one image for each set of coil maps (expected {len(self._rows)} / found {tuple(image.shape)})",
                "Give images (set, frame, y, x).",
            )

    def _packed(self, columns: Tensor) -> Tensor:
        parts = [one.index_select(_ROWS, at) for one, at in zip(columns, self._rows, strict=True)]
        return torch.cat(parts, dim=_ROWS).unsqueeze(0)

    def _unpacked(self, packed: Tensor, rest: Tensor) -> Tensor:
        first = 0
        for one, at in zip(rest, self._rows, strict=True):
            one.index_copy_(_ROWS, at, packed[0, :, first : first + len(at)])
            first += len(at)
        return rest
