"""Images repeated over many channels, each of which is a whole image and obeys the measurement by itself.

Unfolding networks that work on features (MC-VarNet, IMA) repeat their input images to as many channels as the layers have; in
between, data consistency acts on every channel. Where images are complex, every other channel holds real parts and its neighbour
the imaginary ones, so that C channels are C / 2 complex images: the layers and their cost stay the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from engine.core.axes import COIL, KSPACE_FRAME
from engine.core.errors import InputError, ShapeError
from engine.core.jobs import Check
from engine.models.blocks import channels_last, complex_to_pairs, pairs_to_complex
from engine.models.contract import ReconInput
from engine.models.parts import forms
from engine.models.parts.consistency import require_binary
from engine.physics.operator import SenseOperator


class ConvPair(nn.Sequential):
    """[3 x 3 convolution, ReLU, 3 x 3 convolution]: what both networks learn in the place of linear operators."""

    def __init__(self, channels: int) -> None:
        first, second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        super().__init__(first, nn.ReLU(inplace=True), second)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the base class's name)
        """Map real (image, channel, y, x) to the same, in the type it came in."""
        out = channels_last(input)
        for layer in self:
            out = layer(out)
        return out.to(input.dtype)


def require_single_coil(data: ReconInput, name: str) -> None:
    """Raise ``InputError`` unless there is one coil: real-valued images are the case of magnitude images without coils."""
    coils = data.kspace.shape[COIL]
    if coils != 1:
        raise InputError(
            f"{name} with real-valued images serves 1 coil (found {coils})",
            "Use weights with complex_images, our multi-coil extension.",
        )


def reference_of(data: ReconInput, name: str) -> Tensor:
    """Return the reference sequence for every frame, complex (batch, frame, y, x).

    Raises
    ------
    InputError
        When there is none.
    ShapeError
        When it is of another matrix.
    """
    if data.reference is None:
        raise InputError(
            f"{name} needs a reference sequence (found none)",
            "Give another contrast, another inversion time, or the temporal mean: --reference-sequence mean.",
        )
    batch, frames = data.kspace.shape[:2]
    expected = (batch, frames, *data.kspace.shape[-2:])
    found = tuple(data.reference.shape)
    if len(found) != 4 or any(a not in (1, b) for a, b in zip(found[:2], expected[:2], strict=True)) or found[2:] != expected[2:]:
        raise ShapeError(
            f"the reference sequence does not fit the series (expected batch, frame, y, x = {expected}, where batch and frame may "
            f"be 1 / found {found})",
            "Give an image of the same matrix.",
        )
    return data.reference.expand(expected)


def one_mask(operator: SenseOperator) -> SenseOperator:
    """Return the operator with a frame axis of length 1 where all frames are alike, itself where that is so already."""
    if operator.static_mask and operator.mask.shape[KSPACE_FRAME] > 1 and operator.maps.shape[KSPACE_FRAME] == 1:
        return SenseOperator(operator.mask[:, :1], operator.maps, operator.gram_limit_mib)
    return operator


def serves_any_frame(operator: SenseOperator) -> bool:
    """Return whether mask and maps have a frame axis of length 1."""
    return operator.mask.shape[KSPACE_FRAME] == operator.maps.shape[KSPACE_FRAME] == 1


def per_channel(operator: SenseOperator, groups: int) -> SenseOperator:
    """Return the operator for ``groups`` images of every frame: its frames are frame 0, group 0; frame 0, group 1; ..."""
    if serves_any_frame(operator):
        return operator
    mask, maps = (
        a if a.shape[KSPACE_FRAME] == 1 else a.repeat_interleave(groups, KSPACE_FRAME) for a in (operator.mask, operator.maps)
    )
    return SenseOperator(mask, maps, operator.gram_limit_mib)


def with_masks(operator: SenseOperator, masks: Sequence[Tensor], groups: int, check: Check) -> list[SenseOperator]:
    """Return an operator for every mask, for ``groups`` images of every frame; equal masks (the same object) share one.

    Together their Gram matrices stay within the operator's limit. The first mask is the operator's own.
    """
    distinct = {id(mask): mask for mask in masks}
    made = {}
    for key, mask in distinct.items():
        own = operator if mask is masks[0] else SenseOperator(mask, operator.maps, operator.gram_limit_mib / len(distinct))
        made[key] = per_channel(own, groups)
        if not forms.plain():
            made[key].prepare(check)
    return [made[id(mask)] for mask in masks]


class Lifted:
    """The measurement seen by features, real (batch * frame, channel, y, x).

    Parameters
    ----------
    data
        The measurement.
    channels
        How many channels features have.
    complex_images
        Whether two channels are a complex image; otherwise each is a real-valued one.
    operator
        That of ``data``, made for every channel by :func:`per_channel`.

    Attributes
    ----------
    zero_filled
        ``A^H k0`` as complex (batch * frame, 1, y, x).
    start
        Features of the image to begin with: that of the input, or the zero-filled one.
    """

    def __init__(self, data: ReconInput, channels: int, complex_images: bool, operator: SenseOperator) -> None:
        self.batch, self.frames = data.kspace.shape[:2]
        self.groups = channels // 2 if complex_images else channels
        self.complex_images = complex_images
        self.operator = operator
        require_binary(data.operator.mask)
        self.set_start(data.operator.adjoint(data.kspace))
        if data.first is not None:
            self.start = self.lift(data.first)

    def set_start(self, image: Tensor) -> None:
        """Take the zero-filled image, complex (batch, frame, y, x)."""
        if not self.complex_images:
            image = torch.complex(image.real, torch.zeros_like(image.real))
        self.zero_filled = image.reshape(-1, 1, *image.shape[-2:])
        self.start = self.lift(image)

    @cached_property
    def energy(self) -> Tensor:
        """``S^H S``, real (batch * frame or 1, 1, y, x)."""
        maps = self.operator.maps[:, :: self.groups] if self.operator.maps.shape[KSPACE_FRAME] > 1 else self.operator.maps
        energy = maps.abs().square().sum(COIL)
        if energy.shape[:2] != (1, 1):
            energy = energy.expand(self.batch, self.frames, -1, -1)
        return energy.reshape(-1, 1, *energy.shape[-2:])

    def lift(self, image: Tensor) -> Tensor:
        """Repeat complex (batch, frame, y, x) over all channels."""
        flat = image.reshape(-1, 1, *image.shape[-2:]).expand(-1, self.groups, -1, -1)
        return self.to_features(flat)

    def lower(self, features: Tensor) -> Tensor:
        """Return the mean of all channels as complex (batch, frame, y, x): the inverse of :meth:`lift`."""
        image = self.to_complex(features).mean(1)
        return image.reshape(self.batch, self.frames, *image.shape[-2:])

    def to_complex(self, features: Tensor) -> Tensor:
        """Return features as complex (batch * frame, group, y, x), in single precision at least."""
        if self.complex_images:
            return pairs_to_complex(features)
        wide = features.float() if features.dtype in (torch.float16, torch.bfloat16) else features
        return torch.complex(wide, torch.zeros_like(wide))

    def to_features(self, images: Tensor) -> Tensor:
        """Return complex (batch * frame, group, y, x) as features; of real-valued images the imaginary part is left out."""
        return channels_last(complex_to_pairs(images) if self.complex_images else images.real)

    def normal(self, images: Tensor, operator: SenseOperator | None = None) -> Tensor:
        """Return ``A^H A`` of complex (batch * frame, group, y, x), by ``operator`` in place of the measurement's if given.

        Of real-valued images it is the real part, as complex numbers: the same for the operator on real images.
        """
        a = operator or self.operator
        stacked = images.reshape(self.batch, self.frames * self.groups, *images.shape[-2:])
        result = (a.adjoint(a.forward(stacked)) if forms.plain() else a.normal(stacked)).reshape(images.shape)
        return result if self.complex_images else torch.complex(result.real, torch.zeros_like(result.real))

    def fill(self, images: Tensor) -> Tensor:
        """Return the images with their measured samples replaced: ``S^H F^-1 [(1 - M) F S x + k0]`` in each channel."""
        return self.energy * images - self.normal(images) + self.zero_filled

    def consistent(self, features: Tensor) -> Tensor:
        """Return features (batch * frame, channel, y, x) with measured samples replaced in each channel."""
        return self.to_features(self.fill(self.to_complex(features)))
