"""What the tests of the networks with published UnrollingNets weights share: their data, their networks, their measures."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext

import numpy as np
import torch

from engine.core.requests import MaskRequest
from engine.models import MODELS, ReconInput
from engine.models.parts.forms import plain_forms
from engine.physics.fourier import fft2c
from engine.physics.operator import SenseOperator
from engine.sampling import make_mask
from engine.weights.published.unrollingnets_tf import read
from tests.engine.models.classical import maps_of

RELEASED = "golden/released"


def psnr(found, truth):
    """Return dB of magnitudes, peak = the truth's maximum."""
    found, truth = found.abs(), truth.abs()
    return float(10 * torch.log10(truth.max() ** 2 / (found - truth).square().mean()))


def released_network(folder, **settings):
    """Return the network of a released fixture, through the importer."""
    found = read(folder)
    spec = MODELS.get(found.network)
    network = spec.build(spec.config(**{**found.config, **settings}))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in found.tensors.items()})
    return network.eval()


def released_input(shared):
    """Return the fixtures' common input; their phase encoding is the last axis, ours the one before."""
    given = {k: torch.from_numpy(v) for k, v in np.load(shared / RELEASED / "inputs-multicoil" / "io.npz").items()}
    mask = given["mask"].bool()[None, :, None, :, None]  # (1, frame, 1, ky, 1)
    maps = given["sensitivity_maps"].mT[None, None].contiguous()
    return ReconInput(given["kspace_masked"].transpose(0, 1).mT[None].contiguous(), SenseOperator(mask, maps))


def released_output(folder):
    """Return the stored output (1, frame, y, x) in our orientation."""
    return torch.from_numpy(np.load(folder / "io.npz")["output"]).mT[None]


def released_image(shared, name, plain=False, **settings):
    """Return (image, stored output) of released weights for the fixtures' input."""
    network, data = released_network(shared / RELEASED / name, **settings), released_input(shared)
    with torch.inference_mode(), plain_forms() if plain else nullcontext():
        return network(data), released_output(shared / RELEASED / name)


def released_psnr(shared, name):
    """Return how near to the porcine cine (:func:`porcine`) released weights come, in dB."""
    data, truth = porcine(shared)
    with torch.inference_mode():
        return psnr(released_network(shared / RELEASED / name)(data), truth)


def porcine(shared, size=128, frames=16, coils=4):
    """Return (ReconInput, truth): the porcine cine through simulated coils, VISTA R = 8, scaled as the weights expect."""
    stack = np.load(shared / "data" / "pig-cine-sax-ep" / "sax_stack_uint16_z20_t20_256x256.npz")["images"]
    images = torch.from_numpy(stack[10, :frames, 60 : 60 + size, 60 : 60 + size].astype(np.float32))
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    truth = (images * torch.exp(1j * (0.5 * x + 0.8 * y * x)))[None].to(torch.complex64)
    maps = maps_of(coils, size, size)
    lines = make_mask(MaskRequest("vista", 8.0, acs=0), frames, size, size).lines
    operator = SenseOperator(torch.from_numpy(lines.copy())[None, :, None], maps)
    scale = fft2c(truth.unsqueeze(-3) * maps).abs().max()
    return ReconInput(operator.forward(truth) / scale, operator), truth / scale


def problem(batch=2, frames=3, coils=3, ky=9, kx=11, dtype=torch.complex128, static=False, readout=False, seed=0):
    """Return (k-space, mask, maps) of a random problem, maps of unit root sum of squares."""
    g = torch.Generator().manual_seed(seed)
    image = torch.randn(batch, frames, ky, kx, dtype=dtype, generator=g)
    maps = torch.randn(batch, 1, coils, ky, kx, dtype=dtype, generator=g)
    maps = maps / maps.abs().square().sum(-3, keepdim=True).sqrt()
    mask = torch.rand(1, 1 if static else frames, 1, ky, 1 if readout else kx, generator=g) < 0.5
    return mask * fft2c(maps * image.unsqueeze(-3)), mask, maps


def perturbed(name, seed=1, amount=0.3, **settings):
    """Return a network in double precision with every parameter away from its start."""
    spec = MODELS.get(name)
    torch.manual_seed(seed)
    network = spec.build(spec.config(**settings)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(amount * torch.randn_like(parameter))
            parameter.mul_(0.7)
    return network.eval()


def with_stages(data):
    """Return the data with a sink, and the dict (index, part) -> tensor that it fills."""
    stages = {}
    return dataclasses.replace(data, stages=lambda i, part, value: stages.__setitem__((i, part), value)), stages


class Textbook:
    """A, A^H, channels, convolutions and thresholds in their textbook form."""

    def __init__(self, mask, maps):
        self.mask, self.maps = mask, maps

    def fourier(self, x, inverse=False):
        moved = torch.fft.ifftshift(x, dim=(-2, -1))
        done = torch.fft.ifft2(moved, norm="ortho") if inverse else torch.fft.fft2(moved, norm="ortho")
        return torch.fft.fftshift(done, dim=(-2, -1))

    def forward(self, x):
        return self.mask * self.fourier(self.maps * x.unsqueeze(-3))

    def adjoint(self, kspace):
        return (self.maps.conj() * self.fourier(self.mask * kspace, inverse=True)).sum(-3)

    def hard(self, x, kspace):
        filled = torch.where(self.mask, kspace, self.fourier(self.maps * x.unsqueeze(-3)))
        return (self.maps.conj() * self.fourier(filled, inverse=True)).sum(-3)

    @staticmethod
    def split(x):
        return torch.stack((x.real, x.imag), dim=1)

    @staticmethod
    def join(features):
        return torch.complex(features[:, 0], features[:, 1])

    @staticmethod
    def stack(features, weights, slope=0.0):
        for index, weight in enumerate(weights):
            if index:
                features = torch.where(features > 0, features, slope * features)
            features = torch.nn.functional.conv3d(features, weight, padding=1)
        return features

    @staticmethod
    def lower(matrices, fraction):
        u, s, v = torch.linalg.svd(matrices, full_matrices=False)
        return (u * torch.relu(s - fraction * s[..., :1]).unsqueeze(-2)) @ v

    @staticmethod
    def soft(x, threshold):
        return torch.sign(x) * torch.relu(x.abs() - threshold)


def cell_of(state, index):
    """Return one cell's tensors by their names within it, and a function that lists a stack's kernels."""
    prefix = f"cells.{index}."
    cell = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

    def kernels(name):
        count = sum(key.startswith(f"{name}.") and key.endswith("weight") for key in cell)
        return [cell[f"{name}.{layer}.weight"] for layer in range(count)]

    return cell, kernels
