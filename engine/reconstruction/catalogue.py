"""The list of methods with their sizes and costs, for the method table and `myoscope models`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from engine.core import device as devices
from engine.core.jobs import Reporter, silent
from engine.core.types import SamplingMask
from engine.evaluation.complexity import macs, shape_of
from engine.models import MODELS, ModelSpec
from engine.reconstruction.memory import estimate
from engine.reconstruction.reconstruct import configured
from engine.reconstruction.weights import make_config, sources
from engine.weights import library


def methods(names: Sequence[str] = (), costs: bool = True, report: Reporter | None = None) -> list[dict[str, Any]]:
    """Return one record for each method: names, kinds, presets with parameters and costs, weights at hand, options, notes.

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
        records.append(
            {
                **_fixed(spec.name),
                "presets": {
                    preset: {
                        **_size(spec.name, preset),
                        "macs": _macs(spec.name, preset) if costs else None,
                        "memory_mib": _memory(spec.name, preset) if costs else None,
                    }
                    for preset in spec.presets
                },
                "weights": [w["id"] for w in at_hand if w["network"] == spec.name],
            }
        )
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
def _fixed(name: str) -> dict[str, Any]:
    """Return what does not change while the program runs."""
    spec = MODELS.get(name)
    return {
        "name": name,
        "title": spec.title,
        "paper": spec.paper,
        "kinds": list(spec.kinds),
        "presets": {},
        "trainable": spec.trainable,
        "macs_counting": spec.macs_counting,
        "needs_reference": spec.needs_reference,
        "max_coils": spec.max_coils,
        "sources": sources(name),
        "options": _options(spec),
        "notes": list(spec.notes),
    }


@cache
def _size(name: str, preset: str) -> dict[str, Any]:
    spec = MODELS.get(name)
    sizes = _sizes(spec, preset)
    return {
        "parameters": spec.parameters(preset),
        "frames": spec.frames_of(spec.presets[preset]),
        "macs_shape": "x".join(str(size) for size in sizes or ()),
        "paper_macs": spec.paper_macs if preset == next(iter(spec.presets)) else None,
    }


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


def _options(spec: ModelSpec) -> dict[str, Any]:
    """Return the settings of a classical method with default and help."""
    if spec.trainable:
        return {}
    config = next(iter(spec.presets.values()))
    return {
        field.name: {"default": getattr(config, field.name), "help": field.metadata.get("help", "")}
        for field in dataclasses.fields(config)
    }
