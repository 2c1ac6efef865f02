"""The SENSE operator ``A = M F S``: coil sensitivities, centred Fourier transform, sampling mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from engine.core.axes import COIL, KSPACE_FRAME, KSPACE_SLICE, KX, KY, X, Y
from engine.core.errors import InputError, ShapeError
from engine.physics.coils import sum_over_coils
from engine.physics.fourier import centring_ramps, fft1c, ifft1c
from engine.physics.gram import GramOperator, gram_matrices, group_frames, worth_a_gram
from engine.physics.solvers import conjugate_gradient, linear, number, proximal

GRAM_LIMIT_MIB = 2048.0
_CHUNK_SAMPLES = 1 << 20  # coil samples that are worked on at once on a CPU: they stay in its cache


class SenseOperator:
    """``A = M F S`` and what reconstructions need of it; linear parts are differentiable.

    Source: Pruessmann et al., MRM 1999 and 2001.

    The centring of the Fourier transform is folded into the maps and into the mask when the operator is made
    (:func:`engine.physics.fourier.centring_ramps`), so no array is ever shifted; what goes in and comes out is centred.

    Parameters
    ----------
    mask
        Bool or real weights (batch or 1, frame or 1, 1, ky, kx or 1).
    maps
        Coil sensitivities, complex (batch or 1, frame or 1, coil, y, x). Their dtype is the dtype of the operator.
    gram_limit_mib
        Above this size the Gram matrices are not made and the FFT form serves.

    Raises
    ------
    ShapeError
        When mask and maps do not fit each other.

    Attributes
    ----------
    mask, maps
        As given (``mask`` keeps its dtype).
    static_mask
        Whether all frames share one mask.
    full_readout
        Whether the mask is the same along kx.
    """

    _coupled: tuple[int, ...] = (Y, X)  # axes of an image along which A^H A mixes

    def __init__(self, mask: Tensor, maps: Tensor, gram_limit_mib: float = GRAM_LIMIT_MIB) -> None:
        _check_shapes(mask, maps)
        self.mask = mask
        self.maps = maps
        self.gram_limit_mib = gram_limit_mib
        weight = mask.to(maps.real.dtype)
        if weight.shape[KX] > 1 and bool((weight == weight[..., :1]).all()):
            weight = weight[..., :1]
        if weight.shape[KSPACE_FRAME] > 1 and bool((weight == weight[:, :1]).all()):
            weight = weight[:, :1]
        self._weight = weight  # (batch or 1, frame or 1, 1, ky, kx or 1), collapsed where it does not vary
        self.static_mask: bool = weight.shape[KSPACE_FRAME] == 1
        self.full_readout: bool = weight.shape[KX] == 1
        before_y, after_y = centring_ramps(maps.shape[KY], maps.dtype, maps.device)
        before_x, after_x = centring_ramps(maps.shape[KX], maps.dtype, maps.device)
        self._sensitivities = maps * (before_y[:, None] * before_x)
        self._conjugate = self._sensitivities.conj().resolve_conj()
        self._sampling = weight * (after_y[:, None] * after_x)  # (batch or 1, frame or 1, 1, ky, kx)
        self._unit_coil = maps.shape[COIL] == 1 and bool(((maps.abs() - 1).abs() < 1e-5).all())
        self._gram: GramOperator | None = None
        self._gram_made = False
        self._turned: tuple[Tensor, Tensor, Tensor] | None = None

    # --- A and its adjoint --------------------------------------------------------------------------------------------

    def forward(self, image: Tensor) -> Tensor:
        """Return k-space, complex (batch, frame, coil, ky, kx), of an image (batch, frame, y, x)."""
        self._check_image(image)
        return linear(image, self._forward, self._adjoint)

    def adjoint(self, kspace: Tensor) -> Tensor:
        """Return ``A^H kspace``, the coil-combined zero-filled image, complex (batch, frame, y, x)."""
        self._check_kspace(kspace)
        return linear(kspace, self._adjoint, self._forward)

    def normal(self, image: Tensor) -> Tensor:
        """Return ``A^H A image``, complex (batch, frame, y, x); by the Gram matrices where they exist."""
        self._check_image(image)
        gram = self.gram
        if gram is not None:
            return gram.apply(image)
        return linear(image, self._normal, self._normal)

    def normal_by_fft(self, image: Tensor) -> Tensor:
        """Return ``A^H A image`` by Fourier transforms, whether or not Gram matrices exist."""
        self._check_image(image)
        return linear(image, self._normal, self._normal)

    def _forward(self, image: Tensor) -> Tensor:
        batch, frames = image.shape[:2]
        kspace = image.new_empty((batch, frames, *self.maps.shape[COIL:]))
        for b, part in self._chunks(batch, frames, image.device):
            torch.mul(self._spectrum(image, b, part), pick(self._sampling, b, part), out=kspace[b, part])
        return kspace

    def _spectrum(self, image: Tensor, b: int | slice, part: slice) -> Tensor:
        """Return the coils' spectra (frame, coil, ky, kx) of some frames, neither sampled nor centred."""
        spectrum: Tensor = torch.fft.fft2(image[b, part].unsqueeze(COIL) * pick(self._sensitivities, b, part), norm="ortho")
        return spectrum

    def misfit(self, image: Tensor, kspace: Tensor) -> float:
        """Return ``||A image - kspace||^2``, a few frames at a time; k-space is zero where nothing was measured."""
        total = 0.0
        for b, part in self._chunks(kspace.shape[0], kspace.shape[1], image.device):
            samples = self._spectrum(image, b, part).mul_(pick(self._sampling, b, part)).sub_(kspace[b, part])
            total += float(torch.linalg.vector_norm(samples)) ** 2
        return total

    def _adjoint(self, kspace: Tensor) -> Tensor:
        batch, frames = kspace.shape[:2]
        image = kspace.new_empty((batch, frames, *self.maps.shape[KY:]))
        conjugate = self._sampling.conj().resolve_conj()
        for b, part in self._chunks(batch, frames, kspace.device):
            coils = torch.fft.ifft2(kspace[b, part] * pick(conjugate, b, part), norm="ortho")
            image[b, part] = sum_over_coils(coils, pick(self._conjugate, b, part))
        return image

    def _normal(self, image: Tensor) -> Tensor:
        batch, frames = image.shape[:2]
        result = torch.empty_like(image)
        if not self.full_readout:
            energy = self._weight.square()
            for b, part in self._chunks(batch, frames, image.device):
                spectrum = torch.fft.fft2(image[b, part].unsqueeze(COIL) * pick(self._sensitivities, b, part))
                coils = torch.fft.ifft2(spectrum.mul_(pick(energy, b, part)))
                result[b, part] = sum_over_coils(coils, pick(self._conjugate, b, part))
            return result
        # The transform along the readout cancels; the one along ky runs over contiguous lines of the turned arrays.
        sensitivities, conjugate, energy = self._turned_arrays()
        for b, part in self._chunks(batch, frames, image.device):
            turned = image[b, part].mT.contiguous().unsqueeze(COIL)  # (frame, 1, x, y)
            spectrum = torch.fft.fft(turned * pick(sensitivities, b, part))
            coils = torch.fft.ifft(spectrum.mul_(pick(energy, b, part)))
            result[b, part] = sum_over_coils(coils, pick(conjugate, b, part)).mT
        return result

    def _turned_arrays(self) -> tuple[Tensor, Tensor, Tensor]:
        if self._turned is None:
            with torch.inference_mode(False), torch.no_grad():
                self._turned = (
                    self._sensitivities.mT.contiguous(),
                    self._conjugate.mT.contiguous(),
                    self._weight.square().mT.contiguous(),
                )
        return self._turned

    def _chunks(self, batch: int, frames: int, device: torch.device) -> Iterator[tuple[int | slice, slice]]:
        """Yield (batch index, frames) to work on: all at once on a GPU, cache-sized pieces on a CPU."""
        if device.type != "cpu":
            yield slice(None), slice(None)
            return
        step = max(1, _CHUNK_SAMPLES // self.maps[0, 0].numel())
        for b in range(batch):
            for first in range(0, frames, step):
                yield b, slice(first, first + step)

    # --- the Gram form and proximal steps -----------------------------------------------------------------------------

    @property
    def gram(self) -> GramOperator | None:
        """The Gram operator, made at first use; None unless the readout is full and the matrices fit ``gram_limit_mib``.

        None as well where Fourier transforms are cheaper: for a single coil of unit sensitivity (:meth:`solve` is exact there all
        the same), and when fewer than three frames on average share a mask that varies.
        """
        return self.prepare()

    def prepare(self, check: Callable[[], None] | None = None) -> GramOperator | None:
        """Make the Gram operator now, unless it is there, and return it; ``check`` is called every few columns."""
        if not self._gram_made:
            # Ordinary tensors even under inference mode: a training step may use the same operator later.
            with torch.inference_mode(False), torch.no_grad():
                self._gram = self._make_gram(check)
            self._gram_made = True
        return self._gram

    def with_own_factors(self, check: Callable[[], None] | None = None) -> SenseOperator:
        """Return the same operator with the same Gram matrices, but with factors of its own: for solves with a second weight.

        ``check`` is that of :meth:`prepare`.
        """
        other = self._like(self.mask, self.maps)
        gram = self.prepare(check)
        other._gram, other._gram_made = None if gram is None else gram.with_own_factors(), True
        return other

    def _make_gram(self, check: Callable[[], None] | None) -> GramOperator | None:
        if not self.full_readout or self._unit_coil:
            return None
        energy, groups = self._groups()
        batch = max(energy.shape[0], self.maps.shape[0])
        if not worth_a_gram(self.maps, batch, self.maps.shape[KY], groups, self.gram_limit_mib):
            return None
        return GramOperator(gram_matrices(energy, self.maps, check), groups)

    def _groups(self) -> tuple[Tensor, list[list[int]] | None]:
        """Return the squared masks (batch or 1, group, ky) of the frames that share mask and maps, and these frames."""
        energy = self._weight.square().squeeze(KX).squeeze(-2)  # (batch or 1, frame or 1, ky)
        if self.maps.shape[KSPACE_FRAME] > 1:
            return energy, [[frame] for frame in range(max(energy.shape[1], self.maps.shape[KSPACE_FRAME]))]
        return group_frames(energy) if energy.shape[1] > 1 else (energy, None)

    def solve(
        self,
        rhs: Tensor,
        weight: float | Tensor,
        x0: Tensor | None = None,
        iterations: int = 50,
        tolerance: float = 1e-6,
        check: Callable[[], None] | None = None,
    ) -> Tensor:
        """Return ``(A^H A + weight I)^-1 rhs``: the proximal step of the data term. Differentiable in ``rhs`` and ``weight``.

        Exact by Cholesky where there is a Gram operator, exact in k-space for a single coil of unit sensitivity
        with any mask, otherwise by conjugate gradients.

        Parameters
        ----------
        rhs
            Complex (batch, frame, y, x).
        weight
            Positive; a float or a one-element tensor.
        x0
            Where conjugate gradients start.
        iterations, tolerance, check
            Of :func:`engine.physics.solvers.conjugate_gradient`; not used by the exact ways.

        Raises
        ------
        InputError
            When the weight is not positive and finite.
        """
        self._check_image(rhs)
        value = number(weight)
        if not 0.0 < value < float("inf"):
            raise InputError(f"the weight of a proximal step must be positive and finite (found {value})", "Use about 0.01.")
        if self._unit_coil:
            return proximal(rhs, weight, self._solve_unit_coil)
        gram = self.prepare(check)
        if gram is not None:
            gram.factor(value, check)
            return gram.solve(rhs, weight)

        starts = [x0]  # for the first solve; the backward pass solves for another right-hand side

        def iterate(b: Tensor, w: float) -> Tensor:
            start = starts.pop() if starts else None
            normal = lambda x: torch.add(self._normal(x), x, alpha=w)  # noqa: E731
            return conjugate_gradient(normal, b, start, iterations, tolerance, check, self._coupled)

        return proximal(rhs, weight, iterate)

    def _solve_unit_coil(self, rhs: Tensor, weight: float) -> Tensor:
        """Solve ``(S^H F^H M^2 F S + w) x = b`` with ``|S| = 1``: a division in k-space."""
        spectrum = torch.fft.fft2(rhs.unsqueeze(COIL) * self._sensitivities)
        solved: Tensor = torch.fft.ifft2(spectrum / (self._weight.square() + weight))
        return (solved * self._conjugate).sum(COIL)

    def merge(self, image: Tensor) -> Tensor:
        """Return the image that is shown, complex (batch, frame, y, x): here the image itself."""
        return image

    # --- other places and parts ---------------------------------------------------------------------------------------

    def to(self, device: torch.device | str) -> SenseOperator:
        """Return the operator on another device (itself when it is there already)."""
        target = torch.device(device)
        if target == self.maps.device:
            return self
        return self._like(self.mask.to(target), self.maps.to(target))

    def crop_readout(self, start: int, stop: int) -> SenseOperator:
        """Return the operator of the image columns ``start .. stop``: an exact, smaller problem when the readout is full.

        Crop the k-space alike with :func:`crop_readout`.

        Raises
        ------
        ShapeError
            When the mask varies along kx, or the crop lies outside the image.
        """
        if not self.full_readout:
            raise ShapeError(
                "the readout cannot be cropped (expected a mask that is the same along kx / found one that varies)",
                "Use a Cartesian pattern that samples whole lines.",
            )
        _check_crop(start, stop, self.maps.shape[KX])
        cropped = self._like(self._weight, self.maps[..., start:stop].contiguous())
        if self._gram is not None and not cropped._unit_coil:
            cropped._gram, cropped._gram_made = self._gram.crop_readout(start, stop), True
        return cropped

    def select_frames(self, start: int, stop: int) -> SenseOperator:
        """Return the operator of the frames ``start .. stop``: itself where mask and maps serve any number of frames.

        Gram matrices that exist are shared, those that do not are not made again for the part.

        Raises
        ------
        ShapeError
            When there are no such frames.
        """
        frames = max(self.mask.shape[KSPACE_FRAME], self.maps.shape[KSPACE_FRAME])
        if frames == 1:
            return self
        if not 0 <= start < stop <= frames:
            raise ShapeError(f"frames {start}..{stop} do not exist (expected 0 <= start < stop <= {frames})", "Choose others.")
        mask, maps = (a if a.shape[KSPACE_FRAME] == 1 else a[:, start:stop] for a in (self.mask, self.maps))
        selected = self._like(mask, maps)
        if self._gram_made:
            selected._gram_made = True
            selected._gram = None if self._gram is None else self._gram.select_frames(start, stop)
        return selected

    def _like(self, mask: Tensor, maps: Tensor) -> SenseOperator:
        """Return an operator of the same kind."""
        return type(self)(mask, maps, self.gram_limit_mib)

    def _check_image(self, image: Tensor) -> None:
        self._check_input(image, "image", ("batch", "frame", "y", "x"), self.maps.shape[KY:])

    def _check_kspace(self, kspace: Tensor) -> None:
        self._check_input(kspace, "k-space", ("batch", "frame", "coil", "ky", "kx"), self.maps.shape[COIL:])

    def _check_input(self, value: Tensor, name: str, axes: tuple[str, ...], tail: torch.Size) -> None:
        lead = [max(self.maps.shape[a], self._weight.shape[a]) for a in (KSPACE_SLICE, KSPACE_FRAME)]
        fits = value.ndim == len(axes) and tuple(value.shape[2:]) == tuple(tail)
        fits = fits and all(n in (1, found) for n, found in zip(lead, value.shape[:2], strict=True))
        if not fits:
            raise ShapeError(
                f"{name} does not fit the operator (expected {', '.join(axes)} = {(*lead, *tail)}, where 1 is any / "
                f"found {tuple(value.shape)})",
                "Mask, coil maps and data must come from the same series.",
            )
        if value.dtype != self.maps.dtype:
            raise InputError(
                f"{name} has another type than the coil maps (expected {self.maps.dtype} / found {value.dtype})", "Convert one."
            )


def crop_readout(kspace: Tensor, start: int, stop: int) -> Tensor:
    """Return the k-space of the image columns ``start .. stop``, complex (..., ky, kx'), from (..., ky, kx).

    The columns of a fully sampled readout are independent, so a reconstruction from it is exact (same mask, cropped maps).
    """
    _check_crop(start, stop, kspace.shape[KX])
    return fft1c(ifft1c(kspace, KX)[..., start:stop], KX)


def _check_crop(start: int, stop: int, width: int) -> None:
    if not 0 <= start < stop <= width:
        raise ShapeError(
            f"readout crop {start}..{stop} is outside the image (expected 0 <= start < stop <= {width})", "Crop within the readout."
        )


def pick(array: Tensor, b: int | slice, frames: slice) -> Tensor:
    """Return ``array[b, frames]`` where length-1 axes serve any index."""
    if isinstance(b, slice):
        return array
    chosen = array[b if array.shape[KSPACE_SLICE] > 1 else 0]
    return chosen[frames] if chosen.shape[0] > 1 else chosen


def _check_shapes(mask: Tensor, maps: Tensor) -> None:
    if maps.ndim != 5 or not maps.is_complex():
        raise ShapeError(
            f"coil maps need five complex axes (expected batch, frame or 1, coil, y, x / found {tuple(maps.shape)} {maps.dtype})",
            "A single coil has maps of ones.",
        )
    if mask.ndim != 5 or mask.shape[COIL] != 1 or mask.is_complex():
        raise ShapeError(
            f"mask needs five axes (expected batch or 1, frame or 1, 1, ky, kx or 1 / found {tuple(mask.shape)} {mask.dtype})",
            "Add length-1 axes for batch and coil.",
        )
    fits = mask.shape[KY] == maps.shape[KY] and mask.shape[KX] in (1, maps.shape[KX])
    for axis in (KSPACE_SLICE, KSPACE_FRAME):
        fits = fits and (1 in (mask.shape[axis], maps.shape[axis]) or mask.shape[axis] == maps.shape[axis])
    if not fits:
        raise ShapeError(
            f"mask does not fit the coil maps (expected ky {maps.shape[KY]}, kx {maps.shape[KX]} or 1 / found ky {mask.shape[KY]}, "
            f"kx {mask.shape[KX]}, shapes {tuple(mask.shape)} and {tuple(maps.shape)})",
            "Make the mask for the matrix of this series.",
        )
