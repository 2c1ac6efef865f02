"""Vectors of the U-Net networks: recorded with phase encoding along the last axis, ours is the last but one."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from engine.models import MODELS, ReconInput
from engine.physics.operator import SenseOperator
from engine.reconstruction.weights import expected_shapes, make_config
from engine.weights.published import PUBLISHED, compare


def recorded(folder):
    """Return the arrays of a fixture by name, axes as recorded."""
    return {name: torch.from_numpy(value) for name, value in np.load(folder / "io.npz").items()}


def turned(value):
    """Exchange the last two axes: recorded (..., readout, phase encoding) to ours (..., y, x), and back."""
    return value.transpose(-1, -2).contiguous()


def imported(folder, source, **settings):
    """Return the network of a fixture's weights, which went through the importer of ``source``, and what was read.

    ``settings`` replaces those that a file of tensors does not tell.
    """
    published = PUBLISHED.get(source).read(folder / "weights.safetensors")
    spec = MODELS.get(PUBLISHED.get(source).network_of(published))
    config = dataclasses.replace(make_config(spec, published.config, folder.name), **settings)
    shapes = {name: tuple(value.shape) for name, value in published.tensors.items()}
    compare(expected_shapes(spec, config), shapes, folder.name, "")
    network = spec.build(config)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in published.tensors.items()})
    return network.eval(), published


def run(network, kspace, mask, maps, gram_limit_mib=2048.0):
    """Return (image, stages) of k-space (frame, coil, ky, kx), mask (frame or 1, ky, kx or 1), maps (frame or 1, coil, y, x)."""
    stages = {}
    data = ReconInput(
        kspace[None],
        SenseOperator(mask.bool()[None, :, None], maps[None], gram_limit_mib),
        stages=lambda index, part, value: stages.__setitem__((index, part), value),
    )
    with torch.inference_mode():
        return network(data), stages
