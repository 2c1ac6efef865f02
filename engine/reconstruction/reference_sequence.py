"""The second sequence of methods that are led by one: where it comes from, whether it fits, on which scale they see it.

IMA and MC-VarNet take a fully sampled image of another contrast. In cardiac imaging that can be another series, or another
inversion time of the same one. Where there is neither, the average of what all frames measured stands in for it, which is said with
the result: it is sharper than any frame where the mask moves, and no new information where it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.core.axes import describe
from engine.core.errors import InputError, ShapeError
from engine.core.requests import ReferenceSequence
from engine.core.types import Complex, KSpaceSeries
from engine.models import ModelSpec, ReconInput
from engine.models.parts.sharing import average_of_frames
from engine.physics.scaling import Scale

PERCENTILE = 99.0

# reads fully sampled images: (series, slice, frame or None for all) -> complex64 (frame, y, x)
Reader = Callable[[KSpaceSeries, int, int | None], Complex]


def check_reference_sequence(choice: ReferenceSequence | None, spec: ModelSpec, series: KSpaceSeries, frames: int) -> None:
    """Raise unless the choice can lead a reconstruction of some ``frames`` of a series.

    Raises
    ------
    InputError
        The method takes no second sequence, the frame does not exist, or the source is undersampled.
    ShapeError
        The source has another matrix, or other numbers of slices or frames.
    """
    if choice is None:
        return
    if not spec.needs_reference:
        raise InputError(
            f"{spec.name} takes no reference sequence (expected none / found one)", "Leave it out, or choose IMA or MC-VarNet."
        )
    source = choice.source or series
    if choice.frame is not None and not 0 <= choice.frame < source.shape[1]:
        raise InputError(
            f"frame {choice.frame} of the reference sequence does not exist (expected 0 to {source.shape[1] - 1})",
            "Frames count from 0; `myoscope info` shows how many there are.",
        )
    if isinstance(source, KSpaceSeries) and not source.fully_sampled and (choice.source is not None or choice.frame is not None):
        raise InputError(
            "the reference sequence is undersampled (expected images or fully sampled k-space)",
            "Reconstruct it first, or take the temporal mean.",
        )
    if choice.source is None:
        return
    wanted, found = (_sizes(one.shape) for one in (series, source))
    if wanted[0] != found[0] or wanted[2:] != found[2:]:
        raise ShapeError(
            f"the reference sequence does not fit the series (expected {_words(wanted)} / found {_words(found)})",
            "It must show the same slices with the same matrix: resample it first, nothing is resampled here.",
        )
    if choice.frame is None and found[1] not in (1, wanted[1], frames):
        raise ShapeError(
            f"the reference sequence has {found[1]} frames (expected 1, or {wanted[1]} as the series)",
            "Choose the frame that leads all of them: --reference-frame N.",
        )


def _sizes(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    return shape[0], shape[1], shape[-2], shape[-1]


def _words(sizes: tuple[int, ...]) -> str:
    return describe(sizes, ("slice", "frame", "y", "x"))


def reference_sequence(
    choice: ReferenceSequence | None,
    data: ReconInput,
    scale: Scale,
    series: KSpaceSeries,
    slice_index: int,
    frames: tuple[int, ...],
    read: Reader,
) -> Tensor:
    """Return the second sequence on the scale of the network's data, complex64 (1, frame or 1, y, x).

    The series' own images have the scale of its k-space. Another series has a scale of its own: it is brought to the one where its
    99th percentile is that of the temporal mean.

    Parameters
    ----------
    choice
        What leads; None is the temporal mean.
    data
        The measurement as the network will see it.
    scale
        What its k-space was divided by.
    series, slice_index, frames
        What is reconstructed.
    read
        Gives the fully sampled images of k-space.

    Raises
    ------
    InputError
        The image is empty or not finite.
    """
    if choice is None or (choice.source is None and choice.frame is None):
        return average_of_frames(data)
    device, dtype = data.kspace.device, data.kspace.dtype
    if choice.source is None:
        own = torch.from_numpy(read(series, slice_index, choice.frame).copy())
        return scale.normalise(own)[None].to(device, dtype)
    source = choice.source
    if isinstance(source, KSpaceSeries):
        images = read(source, slice_index, choice.frame)
    else:
        images = np.asarray(source.images[slice_index], dtype=np.complex64)
        images = images if choice.frame is None else images[[choice.frame]]
    if images.shape[0] == series.shape[1]:
        images = images[list(frames)]
    found = float(np.percentile(np.abs(images), PERCENTILE))
    if not (np.isfinite(found) and found > 0):
        raise InputError(
            f"the reference sequence has no signal in slice {slice_index} (99th percentile: expected above 0 / found {found})",
            "Check the file, and which slice it shows.",
        )
    wanted = float(np.percentile(average_of_frames(data).abs().cpu().numpy(), PERCENTILE))
    return torch.from_numpy(images * np.float32(wanted / found))[None].to(device, dtype)


def record(choice: ReferenceSequence | None) -> Mapping[str, Any]:
    """Return what led the reconstruction, for its provenance."""
    if choice is None or (choice.source is None and choice.frame is None):
        return {"kind": "temporal mean"}
    if choice.source is None:
        return {"kind": "frame of the series", "frame": choice.frame}
    return {"kind": "other series", "source": choice.source.name, "frame": choice.frame}


def note(choice: ReferenceSequence | None, series: KSpaceSeries, frames: tuple[int, ...]) -> str:
    """Return a sentence on what led the reconstruction."""
    if choice is None or (choice.source is None and choice.frame is None):
        return "reference sequence: the mean of what the frames measured, in the place of another contrast"
    if choice.source is None:
        own = ", which so leads itself" if choice.frame in frames else ""
        return f"reference sequence: frame {choice.frame} of the series, fully sampled{own}"
    frame = "" if choice.frame is None else f", frame {choice.frame}"
    place = f"reference sequence: {choice.source.name or 'another series'}{frame}"
    ours, theirs = series.voxel_mm, choice.source.voxel_mm
    if ours is not None and theirs is not None and not np.allclose(ours[1:], theirs[1:], rtol=0.01):
        place += ", whose voxels have another size"
    return place
