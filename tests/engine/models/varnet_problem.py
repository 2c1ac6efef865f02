"""Tiny problems for networks that iterate in k-space, and the numbers of layers that a hook sees."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import nn

from engine.core.jobs import CancelToken, Reporter
from engine.models.parts.forms import plain_forms
from engine.physics.operator import SenseOperator


def problem(batch=2, frames=3, coils=3, height=14, width=11, kind="lines", dtype=torch.complex128, seed=0):
    """Return (k-space, operator): maps with a root sum of squares of 1, mask of lines with 4 in the centre."""
    g = torch.Generator().manual_seed(seed)
    shape = {
        "lines": (1, 1, 1, height, 1),
        "lines per frame": (1, frames, 1, height, 1),
        "plane per frame": (1, frames, 1, height, width),
    }[kind]
    mask = torch.rand(shape, generator=g) < 0.4
    mask[:, :, :, height // 2 - 2 : height // 2 + 2] = True
    maps = torch.randn((batch, 1, coils, height, width), generator=g, dtype=torch.complex128)
    maps = maps / maps.abs().square().sum(-3, keepdim=True).sqrt()
    kspace = mask * torch.randn((batch, frames, coils, height, width), generator=g, dtype=torch.complex128)
    return kspace.to(dtype), SenseOperator(mask, maps.to(dtype))


def moved(network, amount=0.1, seed=1):
    """Return the network in double precision with every parameter a little off its start."""
    torch.manual_seed(seed)
    network = network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(amount * torch.randn_like(parameter))
    return network


def convolution_macs(network, run):
    """Return multiply-accumulates of all convolutions, their bias counted as one, and of no other operation, during ``run()``."""
    total = 0

    def count(layer, inputs, output):
        nonlocal total
        total += output.numel() * (layer.weight[0].numel() + (layer.bias is not None))

    hooks = [layer.register_forward_hook(count) for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    run()
    for hook in hooks:
        hook.remove()
    return total


class CancelAt(Reporter):
    """Counts its checks and cancels itself at one of them."""

    def __init__(self, count):
        super().__init__(None, CancelToken())
        self.count, self.checks = count, 0

    def check(self):
        self.checks += 1
        if self.checks == self.count:
            self.token.cancel()
        super().check()


class Stages(dict):
    """Keeps what a network leaves: (index, part) -> tensor."""

    def __call__(self, index, part, value):
        self[index, part] = value


def both_forms(network, data):
    """Return (image, gradients by parameter of its energy) of a network in its fast form and in its plain one."""
    results = []
    for form in (nullcontext, plain_forms):
        network.zero_grad()
        with form():
            image = network(data)
        image.abs().square().sum().backward()
        gradients = {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
        results.append((image.detach(), gradients))
    return results
