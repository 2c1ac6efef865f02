"""The list of methods with their sizes and costs, for the method table and `myoscope models`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from engine.core import device as devices
from engine.core.jobs import Reporter, silent
from engine.core.records.methods import MethodInfo, PresetInfo
from engine.core.records.options import Option
from engine.core.types import SamplingMask
from engine.evaluation.complexity import macs, shape_of
from engine.models import MODELS, ModelSpec
from engine.reconstruction.build import configured
from engine.reconstruction.memory import estimate
from engine.reconstruction.weights import make_config, sources
from engine.weights import library


def methods(names: Sequence[str] = (), costs: bool = True, report: Reporter | None = None) -> list[MethodInfo]:
    """Return one record for each method.

    Parameters
    ----------
    names
        Which methods; all when empty.
    costs
        Whether to count multiply-accumulates and foretell memory: up to a second for each preset of a network, once.
    report
        Hears which method is worked on.

    Raises
    ------
    UnknownNameError
        For a name that is none.
    """
    report = report or silent()
    at_hand = library.listing()
    chosen = [MODELS.get(name) for name in names] or [spec for _, spec in MODELS.items()]
    records = []
    for number, spec in enumerate(chosen):
        report.step(number, len(chosen), spec.title)
        presets = {preset: _preset(spec.name, preset, costs) for preset in spec.presets}
        weights = tuple(one.card.id for one in at_hand if one.card.network == spec.name)
        records.append(replace(_fixed(spec.name), presets=presets, weights=weights))
    report.step(1, 1, "done")
    return records


def default_macs(name: str) -> float | None:
    """Return the multiply-accumulates of a method's default preset at the shape that its paper counts at, None when it has none."""
    return _macs(name, next(iter(MODELS.get(name).presets)))


def memory_for(
    name: str,
    shape: Sequence[int],
    mask: SamplingMask | None = None,
    weights: str | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
) -> float | None:
    """Return the memory in MiB that the reconstruction of one slice will take on its device.

    Parameters
    ----------
    name
        The method.
    shape
        (slice, frame, coil, ky, kx) of the series.
    mask
        How it is sampled; None is every fourth line and 24 in the centre.
    weights, settings
        Id of weights at hand, whose settings count, or settings of a classical method; without, the default preset.
    device
        As in :class:`engine.core.requests.ReconRequest`.

    Returns
    -------
    float or None
        None where the method does not serve so many frames, or where nothing can be told.
    """
    spec = MODELS.get(name)
    if weights is None:
        config = configured(spec, settings or {})
    else:
        config = make_config(spec, library.find(weights).card.config, weights)
    _, frames, coils, height, width = shape
    if spec.frames_of(config) not in (None, frames):
        return None
    return estimate(spec, config, (frames, coils, height, width), None if mask is None else mask.lines, devices.choose(device))


@cache
def _fixed(name: str) -> MethodInfo:
    """Return what does not change while the program runs."""
    spec = MODELS.get(name)
    return MethodInfo(
        name=name,
        title=spec.title,
        paper=spec.paper,
        kinds=spec.kinds,
        trainable=spec.trainable,
        macs_counting=spec.macs_counting,
        needs_reference=spec.needs_reference,
        max_coils=spec.max_coils,
        sources=tuple(sources(name)),
        options=_options(spec),
        notes=spec.notes,
    )


def _preset(name: str, preset: str, costs: bool) -> PresetInfo:
    size = _size(name, preset)
    return replace(size, macs=_macs(name, preset), memory_mib=_memory(name, preset)) if costs else size


@cache
def _size(name: str, preset: str) -> PresetInfo:
    spec = MODELS.get(name)
    sizes = _sizes(spec, preset)
    return PresetInfo(
        parameters=spec.parameters(preset),
        frames=spec.frames_of(spec.presets[preset]),
        macs_shape="x".join(str(size) for size in sizes or ()),
        paper_macs=spec.paper_macs if preset == next(iter(spec.presets)) else None,
    )


def _sizes(spec: ModelSpec, preset: str) -> tuple[int, int, int, int] | None:
    """Return the shape that a preset is counted at: the spec's, with as many frames as the preset is built for."""
    sizes = shape_of(spec)
    return None if sizes is None else (spec.frames_of(spec.presets[preset]) or sizes[0], *sizes[1:])


@cache
def _macs(name: str, preset: str) -> float | None:
    spec = MODELS.get(name)
    return macs(spec, spec.presets[preset]) if spec.trainable else None


@cache
def _memory(name: str, preset: str) -> int | None:
    spec = MODELS.get(name)
    sizes = _sizes(spec, preset)
    mib = None if sizes is None else estimate(spec, spec.presets[preset], sizes)
    return None if mib is None else round(mib)


def _options(spec: ModelSpec) -> tuple[Option, ...]:
    """Return the settings of a classical method with default and help."""
    if spec.trainable:
        return ()
    config = next(iter(spec.presets.values()))
    return tuple(
        Option(field.name, getattr(config, field.name), str(field.metadata.get("help", ""))) for field in dataclasses.fields(config)
    )
