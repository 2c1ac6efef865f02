"""Eqs. (5) to (8) of EGLAVarNet's paper, pixel by pixel."""

from __future__ import annotations

import torch
from torch.nn import functional


def equations(unit, image, memory):
    """Eqs. (5) to (8) for one image (2, y, x) and its memory (C, C), pixel by pixel; the residual and the new memory."""

    def pad(x, n):
        return functional.pad(x, (n,) * 4, mode="replicate")

    f = torch.relu(functional.conv2d(pad(image[None], 2), unit.embedding.weight, unit.embedding.bias))
    for conv in unit.convs:
        f = torch.relu(functional.conv2d(pad(f, 1), conv.weight, conv.bias))
    height, width = f.shape[-2:]
    pixels = f[0].flatten(1).T  # (HW, C)

    def project(layer, x):
        return layer.weight[:, :, 0, 0] @ x + layer.bias

    alpha = torch.sigmoid(torch.stack([project(unit.alpha, x) for x in pixels]).mean(0))
    beta = torch.sigmoid(torch.stack([project(unit.beta, x) for x in pixels]).mean(0))
    knowledge = torch.zeros_like(memory)
    for x in pixels:
        knowledge += torch.outer(beta * project(unit.key, x), project(unit.value, x)) / len(pixels)
    memory = torch.diag(alpha) @ memory + knowledge
    out = [project(unit.output, project(unit.projection, memory.T @ project(unit.query, x)) + x) for x in pixels]
    return torch.stack(out, 1).reshape(2, height, width), memory
