"""The U-Nets against a textbook transcription, their norm against the library's, sizes, forms and gradients."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.core.errors import InputError, ShapeError
from engine.models.parts import unet as parts
from engine.models.parts.forms import plain_forms
from engine.models.parts.unet import NormUNet, UNet2d, UNet3d, kept_bytes, norm_leaky, standardise, start_kaiming
from tests.engine.tensors import relative

SHAPES = [(2, 3, 6, 5), (1, 4, 1, 7), (2, 2, 3, 4, 5)]


def reference(state, x, pools, odd="reflect"):
    """A U-Net in textbook operations, from the tensors of ours."""
    n = x.ndim - 2
    conv = (functional.conv2d, functional.conv3d)[n - 2]
    up = (functional.conv_transpose2d, functional.conv_transpose3d)[n - 2]
    pool = (functional.avg_pool2d, functional.avg_pool3d)[n - 2]

    def act(f):
        if f[0, 0].numel() == 1:  # the library refuses it; a single pixel is its own mean
            return 0 * f
        return functional.leaky_relu(functional.instance_norm(f, eps=1e-5), 0.2)

    def block(f, name):
        for layer in ("conv1", "conv2"):
            f = act(conv(f, state[f"{name}.{layer}.weight"], padding=1))
        return f

    skips = []
    for level in range(pools):
        x = block(x, f"encoder.{level}")
        skips.append(x)
        x = pool(x, 2)
    x = block(x, "bottleneck")
    for level in range(pools):
        skip = skips.pop()
        x = act(up(x, state[f"decoder.{level}.up.weight"], stride=2))
        amount = [pair for a, b in zip(reversed(skip.shape[2:]), reversed(x.shape[2:]), strict=True) for pair in (0, a - b)]
        x = functional.pad(x, amount, mode="reflect" if odd == "reflect" else "constant")
        x = block(torch.cat((x, skip), 1), f"decoder.{level}.block")
    return conv(x, state["output.weight"], state["output.bias"])


@pytest.mark.parametrize("odd", ["reflect", "zero"])
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    ("kind", "shape", "pools"),
    [(UNet2d, (2, 3, 16, 24), 3), (UNet2d, (3, 3, 13, 22), 2), (UNet3d, (1, 3, 5, 14, 9), 2), (UNet3d, (2, 3, 8, 8, 8), 1)],
)
def test_a_unet_is_the_textbook_one(kind, shape, pools, odd, plain):
    torch.manual_seed(0)
    network = kind(3, 2, 4, pools, odd=odd).double()
    x = torch.randn(shape, dtype=torch.float64)
    with torch.no_grad():
        expected = reference(network.state_dict(), x, pools, odd)
        if plain:
            with plain_forms():
                found = network(x)
        else:
            found = network(x)
    assert relative(found, expected) < 1e-12


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (lambda: UNet2d(2, 2, 8, 4), 484_898),
        (lambda: UNet2d(2, 2, 32, 4), 7_756_418),
        (lambda: UNet2d(18, 18, 64, 4), 31_034_642),
        (lambda: UNet2d(18, 18, 8, 4), 486_194),
        (lambda: UNet3d(6, 2, 32, 4), 22_576_258),
    ],
)
def test_published_sizes_have_their_parameters(network, parameters):
    with torch.device("meta"):
        assert sum(p.numel() for p in network().parameters()) == parameters


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("slope", [0.2, 1.0])
def test_the_norm_is_the_librarys(shape, slope):
    x = 5 + torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = functional.leaky_relu(functional.instance_norm(x, eps=1e-5), slope)
    assert relative(norm_leaky(x.clone(), slope), expected) < 1e-12
    with plain_forms():
        assert relative(norm_leaky(x.clone(), slope), expected) < 1e-12


def test_the_norm_keeps_its_digits_in_single_precision():
    x = 20 + torch.randn((2, 18, 96, 128), generator=torch.Generator().manual_seed(0))
    x = x.contiguous(memory_format=torch.channels_last)
    expected = functional.leaky_relu(functional.instance_norm(x.double(), eps=1e-5), 0.2)
    assert (norm_leaky(x.clone()).double() - expected).abs().max() < 5e-6


@pytest.mark.parametrize("shape", [*SHAPES, (2, 3, 1, 1)])
@pytest.mark.parametrize("slope", [0.2, 1.0])
def test_the_norms_gradient_is_right(shape, slope):
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: norm_leaky(v, slope), (x,))


def test_one_pixel_becomes_nothing():
    assert norm_leaky(torch.full((1, 4, 1, 1), 7.0)).abs().max() == 0


def test_half_precision_is_normalised_in_single():
    x = torch.randn((1, 3, 32, 32), generator=torch.Generator().manual_seed(0)).bfloat16()
    found = norm_leaky(x)
    assert found.dtype == torch.bfloat16
    assert (found.float() - norm_leaky(x.float())).abs().max() < 0.02


def test_without_gradients_what_was_given_may_be_overwritten_with_them_never():
    x = torch.randn((1, 3, 8, 8), generator=torch.Generator().manual_seed(0), requires_grad=True)
    before = x.detach().clone()
    norm_leaky(x)
    assert torch.equal(x, before)


def test_examples_go_through_in_parts_to_the_same_numbers(monkeypatch):
    torch.manual_seed(0)
    network = UNet2d(2, 2, 4, 2).double()
    x = torch.randn((5, 2, 12, 9), dtype=torch.float64)
    with torch.no_grad():
        together = network(x)
        sizes = []
        run = network._run
        monkeypatch.setattr(parts, "_CHUNK_VALUES", {"cpu": 2 * 4 * 12 * 9})
        monkeypatch.setattr(network, "_run", lambda part, check: sizes.append(len(part)) or run(part, check))
        apart = network(x)
    assert sizes == [2, 2, 1]
    assert relative(apart, together) < 1e-13


@pytest.mark.parametrize("shape", [(1, 2, 3, 33), (1, 2, 1, 1), (2, 2, 5, 2)])
def test_axes_shorter_than_the_poolings_are_padded_inside(shape):
    torch.manual_seed(0)
    network = UNet2d(2, 2, 4, 3).double()
    x = torch.randn(shape, dtype=torch.float64)
    with torch.no_grad():
        found = network(x)
        front = [max(0, 8 - n) // 2 for n in shape[2:]]
        grown = torch.zeros((*shape[:2], *(max(8, n) for n in shape[2:])), dtype=torch.float64)
        inside = (..., slice(front[0], front[0] + shape[2]), slice(front[1], front[1] + shape[3]))
        grown[inside] = x
        expected = reference(network.state_dict(), grown, 3)[inside]
    assert found.shape == x.shape
    assert relative(found, expected) < 1e-12


def test_check_is_called_before_every_convolution_and_every_norm():
    calls = []
    with torch.no_grad():
        UNet2d(2, 2, 4, 2)(torch.zeros(1, 2, 8, 8), lambda: calls.append(None))
    assert len(calls) == 2 * (2 * 3 + 3 * 2) + 2


def test_dropped_channels_only_while_training():
    torch.manual_seed(0)
    network, x = UNet2d(2, 2, 8, 1, dropout=0.5), torch.randn(1, 2, 8, 8)
    network.eval()
    with torch.no_grad():
        assert torch.equal(network(x), network(x))
        network.train()
        assert not torch.equal(network(x), network(x))


@pytest.mark.parametrize("kwargs", [{"filters": 0}, {"pools": -1}, {"dropout": 1.0}, {"in_channels": 0}])
def test_sizes_out_of_range_are_refused(kwargs):
    sizes = {"in_channels": 2, "out_channels": 2, "filters": 4, "pools": 2} | kwargs
    with pytest.raises(InputError, match="sizes of a U-Net are out of range") as caught:
        UNet2d(**sizes)
    assert caught.value.hint


@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (1, 2, 8), (1, 2, 8, 8, 8)])
def test_input_with_other_axes_is_refused(shape):
    with pytest.raises(ShapeError, match="a U-Net's input has other axes") as caught:
        UNet2d(2, 2, 4, 1)(torch.zeros(shape))
    assert caught.value.hint


@pytest.mark.parametrize("shape", [(2, 2, 32, 16), (1, 2, 19, 30)])
def test_the_standardised_unet_does_not_see_the_scale(shape):
    torch.manual_seed(0)
    network = NormUNet(UNet2d(2, 2, 4, 2)).double()
    x = torch.randn(shape, dtype=torch.float64)
    scale = torch.tensor([3.0, 7.0], dtype=torch.float64)[:, None, None]
    shift = torch.tensor([1.0, -2.0], dtype=torch.float64)[:, None, None]
    with torch.no_grad():
        assert relative(network(x * scale + shift), network(x) * scale + shift) < 1e-10


def test_standardised_channels_have_mean_0_and_unbiased_deviation_1():
    x = 3 + 2 * torch.randn((2, 2, 9, 8), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    normed, mean, deviation = standardise(x)
    assert torch.allclose(mean[:, :, 0, 0], x.mean((2, 3)))
    assert torch.allclose(deviation[:, :, 0, 0], x.std((2, 3)))
    assert torch.allclose(normed.std((2, 3)), torch.ones(2, 2, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(1, 2, 4, 4), (1, 2, 1, 1)])
def test_a_constant_channel_has_a_gradient(shape):
    x = torch.full(shape, 2.0, dtype=torch.float64, requires_grad=True)
    normed, mean, deviation = standardise(x)
    (normed.sum() + mean.sum() + deviation.sum()).backward()
    assert torch.isfinite(x.grad).all()
    assert torch.equal(normed.detach(), torch.zeros(shape, dtype=torch.float64))


def test_kaimings_start_has_his_deviation():
    torch.manual_seed(0)
    network = UNet2d(2, 2, 32, 1)
    start_kaiming(network)
    weight = network.bottleneck.conv2.weight.detach()
    assert float(weight.std()) == pytest.approx((2 / ((1 + 0.01**2) * 64 * 9)) ** 0.5, rel=0.02)
    assert network.output.bias.abs().max() == 0


def test_what_the_backward_pass_keeps_is_about_what_is_told():
    image, network, kept = torch.randn(1, 2, 64, 64), UNet2d(2, 2, 16, 3), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append((t.data_ptr(), t.numel())) or t, lambda t: t):
        network(image)
    weights = {p.data_ptr() for p in network.parameters()}
    measured = 4 * sum(size for pointer, size in set(kept) if pointer not in weights)
    assert kept_bytes(image, 16) == pytest.approx(measured, rel=0.3)
