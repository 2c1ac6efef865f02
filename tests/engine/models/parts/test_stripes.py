"""Stripes of rows: every pixel once, borders repeated, convolutions equal to those of whole images."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.models.parts import stripes
from engine.models.parts.forms import plain_forms, rehearsal


def random(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("pixels", [1, 10, 24, 50, 10_000])
@pytest.mark.parametrize(("frames", "height", "width"), [(1, 7, 5), (5, 4, 6), (3, 1, 9)])
def test_every_row_of_every_frame_is_in_one_part(frames, height, width, pixels, monkeypatch):
    monkeypatch.setattr(stripes, "STRIPE_PIXELS", pixels)
    seen = torch.zeros(frames, height, dtype=torch.int64)
    for part in stripes.parts(frames, height, width):
        seen[part] += 1
        assert seen[part].numel() * width <= max(pixels, width)
    assert (seen == 1).all()


def test_in_a_rehearsal_there_is_one_part():
    with rehearsal():
        assert len(list(stripes.parts(40, 512, 512))) == 1


@pytest.mark.parametrize("reach", [0, 1, 2])
@pytest.mark.parametrize("size", [(6, 5), (1, 1), (2, 1)])
def test_the_border_is_the_edge_repeated(size, reach):
    image = random(2, 3, *size)
    found = stripes.Bordered.of(image, reach, torch.float64).values.permute(0, 3, 1, 2)
    expected = functional.pad(image, (reach,) * 4, mode="replicate") if reach else image
    assert torch.equal(found, expected)


@pytest.mark.parametrize("pixels", [1, 20, 1000])
@pytest.mark.parametrize(("kernel", "dilation"), [(5, 1), (3, 2)])
def test_convolutions_are_those_of_the_whole_image(kernel, dilation, pixels, monkeypatch):
    monkeypatch.setattr(stripes, "STRIPE_PIXELS", pixels)
    conv = nn.Conv2d(3, 4, kernel, dilation=dilation).double().requires_grad_(False)
    image, reach = random(2, 3, 8, 7), dilation * (kernel // 2)
    expected = conv(functional.pad(image, (reach,) * 4, mode="replicate"))
    source = stripes.Bordered.of(image, reach, torch.float64)
    found = torch.empty(2, 8, 7, 4, dtype=torch.float64)
    for part in stripes.parts(2, 8, 7):
        found[part] = source.convolve(conv, *stripes.weights(conv, torch.float64), part)
    torch.testing.assert_close(found.permute(0, 3, 1, 2), expected, rtol=0, atol=1e-12)


def test_they_serve_on_a_cpu_without_gradients():
    features = torch.zeros(1)
    assert not stripes.serve(features)
    with torch.no_grad():
        assert stripes.serve(features)
        with plain_forms():
            assert not stripes.serve(features)


def test_the_type_is_autocast_s_where_it_is_on():
    features = torch.zeros(1)
    assert stripes.kind(features) == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert stripes.kind(features) == torch.bfloat16
