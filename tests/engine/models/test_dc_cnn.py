"""DC-CNN against its authors' program (2D, 3D, data sharing), a transcription with coils, and released weights of its 3D form."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.core.errors import InputError
from engine.models import MODELS, ReconInput
from engine.models.dc_cnn import DcCnn, DcCnnConfig
from engine.models.parts.forms import plain_forms
from engine.physics.fourier import fft2c
from engine.physics.operator import SenseOperator
from tests.engine.models.unrolled import (
    RELEASED,
    Textbook,
    perturbed,
    porcine,
    problem,
    psnr,
    released_input,
    released_network,
    released_output,
    with_stages,
)
from tests.engine.tensors import relative

GOLDEN = {
    "dncn2d": DcCnnConfig(cells=3, layers=4, channels=8, dimensions=2, bias=True, slope=0.01),
    "dncn3d": DcCnnConfig(cells=2, layers=4, channels=6, bias=True),
    "dncn3dds": DcCnnConfig(cells=2, layers=3, channels=6, bias=True, slope=0.01, sharing=(0, 1, 2)),
}


def golden_network(folder, kind):
    """Return the network of a fixture; its 3D kernels have the axes (y, x, frame)."""
    state = {}
    for key, value in load_file(folder / "weights.safetensors").items():
        if match := re.fullmatch(rf"{kind}\.conv_blocks\.(\d+)\.(\d+)\.(weight|bias)", key):
            value = value.permute(0, 1, 4, 2, 3) if value.ndim == 5 else value
            state[f"cells.{match[1]}.{int(match[2]) // 2}.{match[3]}"] = value
    network = DcCnn(GOLDEN[kind])
    network.load_state_dict(state)
    return network.eval()


def golden_input(stored, prefix):
    """Return the fixture's data in centred order: the same images through a centred transform."""
    kspace = torch.from_numpy(stored[f"{prefix}_kspace_masked"])
    lines = torch.from_numpy(stored[f"{prefix}_mask"]) > 0
    lines = torch.fft.fftshift(lines if lines.ndim == 2 else lines[None], dim=-1)
    height, width = kspace.shape[-2:]
    mask = lines[None, :, None, None].expand(1, -1, 1, height, width)
    centred = fft2c(torch.fft.ifft2(kspace, norm="ortho")) * mask[0, :, 0]
    maps = torch.ones(1, 1, 1, height, width, dtype=torch.complex64)
    return with_stages(ReconInput(centred[None, :, None], SenseOperator(mask, maps)))


@pytest.mark.parametrize(("preset", "count"), [("paper", 293_760), ("d5c5-2d", 565_770), ("d5c5-3d", 432_650), ("small", 45_360)])
def test_it_has_as_many_parameters_as_published(preset, count):
    assert MODELS.get("dc_cnn").parameters(preset) == count


@pytest.mark.shared
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    ("kind", "prefix", "output"),
    [("dncn2d", "d2", "d2_output"), ("dncn3d", "d3", "d3_output"), ("dncn3dds", "d3", "datasharing_output")],
)
def test_golden_images(shared, kind, prefix, output, plain):
    folder = shared / "golden" / "dc-cnn"
    stored = np.load(folder / "io.npz")
    data, stages = golden_input(stored, prefix)
    network = golden_network(folder, kind)
    with torch.inference_mode():
        if plain:
            with plain_forms():
                image = network(data)
        else:
            image = network(data)
    assert relative(image[0], stored[output]) < 2e-5
    if kind != "dncn3dds":
        for index, expected in enumerate(stored[f"{prefix}_image_after_cascade"]):
            assert relative(stages[index, "image"][0], expected) < 2e-5


@pytest.mark.parametrize("case", [{}, {"coils": 1}, {"static": True, "readout": True}])
def test_with_coils_it_equals_a_transcription(case):
    kspace, mask, maps = problem(**case)
    network = perturbed("dc_cnn", cells=2, layers=3, channels=4)
    book = Textbook(mask, maps)
    with torch.no_grad():
        x = book.adjoint(kspace)
        for cell in network.cells:
            x = book.hard(x + book.join(book.stack(book.split(x), [layer.weight for layer in cell])), kspace)
        data = ReconInput(kspace, SenseOperator(mask, maps))
        assert relative(network(data), x) < 1e-11
        with plain_forms():
            assert relative(network(data), x) < 1e-11


def test_for_one_coil_the_measured_samples_stay():
    kspace, mask, maps = problem(coils=1)
    with torch.no_grad():
        image = perturbed("dc_cnn", cells=2, layers=2, channels=4)(ReconInput(kspace, SenseOperator(mask, maps)))
    found = fft2c(maps * image.unsqueeze(-3))
    assert relative(found[mask.expand_as(found)], kspace[mask.expand_as(kspace)]) < 1e-12


def test_frames_of_the_2d_network_do_not_see_each_other():
    kspace, mask, maps = problem(batch=1, frames=4)
    network = perturbed("dc_cnn", cells=2, layers=3, channels=4, dimensions=2)
    with torch.no_grad():
        together = network(ReconInput(kspace, SenseOperator(mask, maps)))
        alone = network(ReconInput(kspace[:, 2:3], SenseOperator(mask[:, 2:3], maps)))
    assert relative(together[:, 2:3], alone) < 1e-12


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cells": 0}, "cells of dc_cnn is out of range"),
        ({"layers": 1}, "layers of dc_cnn is out of range"),
        ({"channels": 0}, "channels of dc_cnn is out of range"),
        ({"dimensions": 4}, "dimensions of dc_cnn is 4"),
        ({"slope": -0.1}, "slope of dc_cnn is -0.1"),
        ({"sharing": (0, -1)}, "sharing of dc_cnn is"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        DcCnnConfig(**settings)


@pytest.mark.shared
def test_released_weights_give_the_recorded_output(shared):
    folder = shared / RELEASED / "dccnn-vista-8"
    with torch.inference_mode():
        image = released_network(folder)(released_input(shared))
    assert relative(image, released_output(folder)) < 2e-5


@pytest.mark.slow
@pytest.mark.shared
def test_released_weights_lift_the_porcine_cine(shared):
    # The fixture: 15.35 -> 34.66 dB with a mask and coils of its own; 14.9 -> 33.4 with ours.
    data, truth = porcine(shared)
    with torch.inference_mode():
        image = released_network(shared / RELEASED / "dccnn-vista-8")(data)
    assert psnr(image, truth) > 33.0
