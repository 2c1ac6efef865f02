"""Gradients of 3D convolutions in mixed precision: those of the library in double precision, and no process ends of them."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.models.parts import mixed3d

PLAIN = [
    (2, 8, (3, 3, 3), {"padding": (1, 1, 1)}),
    (8, 5, (1, 3, 3), {}),
    (5, 6, (3, 1, 1), {}),
    (6, 2, (1, 1, 1), {}),
    (4, 6, (3, 3, 3), {"padding": (0, 2, 2), "dilation": (1, 2, 2)}),
    (4, 6, (2, 2, 2), {"stride": (2, 2, 2)}),
]


def gradients(layer, features, mixed):
    """Return (output, gradients of features, kernel, bias) of the sum of squares."""
    layer.zero_grad()
    features = features.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        result = layer(features)
    result.double().square().sum().backward()
    return result.detach(), features.grad, layer.weight.grad.clone(), None if layer.bias is None else layer.bias.grad.clone()


def assert_alike(found, expected):
    for one, other in zip(found, expected, strict=True):
        if other is None:
            assert one is None
            continue
        error = (one.double() - other).norm() / other.norm()
        assert error < 0.01, error  # bfloat16 keeps eight bits
        assert one.shape == other.shape


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inputs", "outputs", "kernel", "more"), PLAIN)
def test_gradients_are_those_of_the_library_in_double_precision(inputs, outputs, kernel, more, bias):
    torch.manual_seed(0)
    layer = mixed3d.Conv3d(inputs, outputs, kernel, bias=bias, **more)
    library = nn.Conv3d(inputs, outputs, kernel, bias=bias, **more).double()
    library.load_state_dict(layer.state_dict())
    features = torch.randn(2, inputs, 6, 18, 20)
    expected = gradients(library, features.double(), mixed=False)
    assert_alike(gradients(layer, features, mixed=True), expected)
    assert_alike(gradients(layer, features.contiguous(memory_format=torch.channels_last_3d), mixed=True), expected)


@pytest.mark.parametrize("bias", [True, False])
def test_gradients_of_transposed_convolutions(bias):
    torch.manual_seed(0)
    layer = mixed3d.ConvTranspose3d(6, 4, 2, stride=2, bias=bias)
    library = nn.ConvTranspose3d(6, 4, 2, stride=2, bias=bias).double()
    library.load_state_dict(layer.state_dict())
    features = torch.randn(1, 6, 3, 9, 10)
    assert_alike(gradients(layer, features, mixed=True), gradients(library, features.double(), mixed=False))


def test_without_mixed_precision_it_is_the_library():
    layer, features = mixed3d.Conv3d(3, 4, 3), torch.randn(1, 3, 5, 8, 8)
    result = layer(features.requires_grad_())
    assert result.grad_fn.name() == "ConvolutionBackward0"
    assert torch.equal(result, functional.conv3d(features, layer.weight, layer.bias))


def test_frozen_kernels_and_inputs_get_no_gradient():
    layer, features = mixed3d.Conv3d(3, 4, 3), torch.randn(1, 3, 5, 8, 8)
    layer.weight.requires_grad_(False)
    with torch.autocast("cpu", torch.bfloat16):
        layer(features).float().sum().backward()
    assert layer.weight.grad is None
    assert layer.bias.grad is not None


SHAPES = """
import torch
from engine.models.parts import mixed3d
torch.set_num_threads(1)
for layer, shape in (
    (mixed3d.Conv3d(8, 8, 3), (1, 8, 11, 258, 50)),
    (mixed3d.Conv3d(16, 16, (3, 1, 1)), (1, 16, 8, 128, 98)),
    (mixed3d.Conv3d(8, 2, 1), (1, 8, 5, 258, 40)),
    (mixed3d.ConvTranspose3d(16, 8, 2, stride=2), (1, 16, 6, 100, 33)),
):
    for _ in range(4):
        with torch.autocast("cpu", torch.bfloat16):
            layer(torch.randn(shape).requires_grad_()).float().square().mean().backward()
        filling = [torch.randn(n) for n in (10, 1000, 100000)]
"""


@pytest.mark.slow
def test_shapes_at_which_the_library_writes_beyond_its_buffers():
    """Each of them ends the process when the library computes the kernel's gradient on a processor with AMX."""
    done = subprocess.run(
        [sys.executable, "-c", SHAPES], capture_output=True, text=True, timeout=120, env={**os.environ, "MALLOC_CHECK_": "3"}
    )
    assert done.returncode == 0, done.stderr[-500:]
