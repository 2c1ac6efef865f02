"""The convolutional gated unit against its definition, in all its forms."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.models.parts import conv_gru, stripes
from engine.models.parts.conv_gru import ConvGRU, EdgeConv, GatedCell, StateInitialiser
from engine.models.parts.forms import plain_forms, rehearsal


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def network(*args, seed=0, kind=ConvGRU):
    torch.manual_seed(seed)
    made = kind(*args).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return made


def pixel_cell(cell, x, h):
    """The gates of one pixel (channel,), from the equations."""
    n = len(h)
    w, b = cell.gates.weight[:, :, 0, 0], cell.gates.bias
    both = torch.cat((x, h))
    z = 1 / (1 + torch.exp(-(w[:n] @ both + b[:n])))
    r = 1 / (1 + torch.exp(-(w[n:] @ both + b[n:])))
    c = torch.tanh(cell.candidate.weight[:, :, 0, 0] @ torch.cat((x, r * h)) + cell.candidate.bias)
    return (1 - z) * h + z * c


@pytest.mark.parametrize("form", ["joined", "pixels", "plain"])
def test_a_cell_is_its_equations_in_every_form(form, monkeypatch):
    monkeypatch.setattr(conv_gru, "GATE_PIXELS", 7)  # several parts, the last one shorter
    cell = network(4, kind=GatedCell)
    x, h = random(2, 4, 5, 3), random(2, 4, 5, 3, seed=1)
    expected = torch.stack([pixel_cell(cell, x[b, :, i, j], h[b, :, i, j]) for b in range(2) for i in range(5) for j in range(3)])
    if form == "pixels":
        active, renewed = (v.permute(0, 2, 3, 1).reshape(-1, 4).clone() for v in (x, h))
        with torch.no_grad():
            cell.by_pixels(torch.float64)(active, renewed)
    else:
        with plain_forms() if form == "plain" else torch.enable_grad():
            renewed, active = (v.permute(0, 2, 3, 1).reshape(-1, 4) for v in cell(x, h))
    torch.testing.assert_close(renewed, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(active, expected.clamp(min=0), rtol=0, atol=1e-12)


def test_gates_start_orthogonal_and_nearly_closed():
    torch.manual_seed(0)
    cell = GatedCell(6)
    for weight in (cell.gates.weight[:6], cell.gates.weight[6:], cell.candidate.weight):
        flat = weight.flatten(1)
        torch.testing.assert_close(flat @ flat.T, torch.eye(6), rtol=0, atol=1e-5)
    assert cell.gates.bias.tolist() == [0.0] * 6 + [-1.0] * 6
    assert cell.candidate.bias.tolist() == [0.0] * 6


@pytest.mark.parametrize(("kernel", "dilation"), [(5, 1), (3, 1), (3, 2)])
def test_an_edge_convolution_sees_the_border_repeated(kernel, dilation):
    layer = EdgeConv(1, 1, kernel, dilation).double().requires_grad_(False)
    image = random(1, 1, 6, 5)
    found = layer(image)
    assert found.shape == image.shape
    for y, x in ((0, 0), (5, 4), (2, 3), (0, 4)):
        total = layer.bias[0].clone()
        for i in range(kernel):
            for j in range(kernel):
                row = min(max(y + dilation * (i - kernel // 2), 0), 5)
                column = min(max(x + dilation * (j - kernel // 2), 0), 4)
                total = total + layer.weight[0, 0, i, j] * image[0, 0, row, column]
        assert float(found[0, 0, y, x]) == pytest.approx(float(total), abs=1e-12)


@pytest.mark.parametrize("pixels", [1 << 13, 40, 7])  # all at once, one frame, one row
@pytest.mark.parametrize("start", ["zeros", "given"])
def test_all_forms_of_the_unit_agree(start, pixels, monkeypatch):
    monkeypatch.setattr(stripes, "STRIPE_PIXELS", pixels)
    unit = network(2, 2, 5, 3)
    image = random(3, 2, 9, 7)
    given = [random(3, 5, 9, 7, seed=i) for i in range(3)] if start == "given" else None
    with plain_forms(), torch.no_grad():
        expected, states = unit(image, given)
    for grad in (True, False):
        state = None if given is None else [h.clone() for h in given]
        with torch.set_grad_enabled(grad):
            found, others = unit(image, state)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
        for a, b in zip(others, states, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_states_with_the_channel_last_are_used_up_and_no_new_ones_made():
    unit = network(2, 2, 5, 2)
    state = [random(1, 5, 9, 7, seed=i).contiguous(memory_format=torch.channels_last) for i in range(2)]
    with torch.inference_mode():
        _, renewed = unit(random(1, 2, 9, 7), state)
    assert [h.data_ptr() for h in renewed] == [h.data_ptr() for h in state]


def test_one_stripe_stands_for_all_where_only_memory_is_asked_for(monkeypatch):
    monkeypatch.setattr(stripes, "STRIPE_PIXELS", 7)
    unit = network(2, 2, 5, 3)
    calls = []
    with torch.no_grad(), rehearsal():
        output, states = unit(random(3, 2, 9, 7), None, lambda: calls.append(1))
    assert len(calls) == 4
    assert output.shape == (3, 2, 9, 7)
    assert states[0].shape == (3, 5, 9, 7)


def test_gradients_of_the_fast_form_are_those_of_the_plain_one():
    unit = network(2, 2, 4, 2)
    image = random(2, 2, 6, 5)
    gradients = []
    for plain in (False, True):
        x = image.clone().requires_grad_()
        with plain_forms() if plain else torch.enable_grad():
            output, states = unit(x)
            (output.square().sum() + states[-1].sum()).backward()
        gradients.append([x.grad.clone(), *(p.grad.clone() for p in unit.parameters())])
        unit.zero_grad()
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)


def test_single_precision_agrees_with_the_plain_form_to_1e_5():
    unit = network(2, 2, 16, 4).float()
    image = random(2, 2, 24, 20, dtype=torch.float32)
    with torch.inference_mode():
        found, _ = unit(image)
        with plain_forms():
            expected, _ = unit(image)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_autocast_to_bfloat16_stays_near():
    unit = network(2, 2, 16, 3).float()
    image = random(1, 2, 16, 12, dtype=torch.float32)
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            expected, _ = unit(image)
            with torch.autocast("cpu", torch.bfloat16):
                found, states = unit(image, unit(image)[1])
                found, states = unit(image)
        assert found.dtype == states[0].dtype == torch.bfloat16
        assert (found.float() - expected).abs().max() < 0.03 * expected.abs().max()


def test_the_initialiser_is_its_definition():
    maker = network(2, 3, 2, (2, 4, 3), (1, 2, 3), 2, kind=StateInitialiser)
    features = random(1, 2, 11, 9)
    kept, x = [], features
    for conv, dilation in zip(maker.convs, (1, 2, 3), strict=True):
        padded = functional.pad(x, (dilation,) * 4, mode="replicate")
        x = functional.relu(functional.conv2d(padded, conv.weight, conv.bias, dilation=dilation))
        kept.append(x)
    together = torch.cat(kept[1:], 1)
    states = maker(features)
    assert len(states) == 2
    for state, layer in zip(states, maker.outputs, strict=True):
        expected = functional.relu(functional.conv2d(together, layer.weight, layer.bias))
        torch.testing.assert_close(state, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("grad", "expected"), [(True, 4 + 3), (False, 4 * 3)])
def test_every_convolution_or_every_stripe_can_be_cancelled(grad, expected, monkeypatch):
    monkeypatch.setattr(stripes, "STRIPE_PIXELS", 8)
    unit = network(2, 2, 4, 3)
    calls = []
    with torch.set_grad_enabled(grad):
        unit(random(1, 2, 5, 4), None, lambda: calls.append(1))
    assert len(calls) == expected
