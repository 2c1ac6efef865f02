"""The networks of DIRECT that are built of U-Nets, vSHARP and E2E VarNet: their names, and ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from numpy.typing import NDArray

from engine.core.errors import CheckpointMismatch
from engine.weights.published.contract import compare
from engine.weights.published.torch_file import turned
from engine.weights.published.unet_names import unet_names, unet_sizes

State = Mapping[str, NDArray[Any]]
Tensors = dict[str, NDArray[Any]]
# Our name, their name, their shape.
Names = list[tuple[str, str, tuple[int, ...]]]

DILATIONS = (1, 1, 2, 4)


def translated(state: State, names: Iterable[tuple[str, str, tuple[int, ...]]], what: str, hint: str) -> Tensors:
    """Return the tensors by our names, kernels turned: phase encoding runs along their last axis, along our last but one.

    Raises
    ------
    CheckpointMismatch
        When their names or shapes are not exactly the expected ones.
    """
    names = list(names)
    compare({theirs: shape for _, theirs, shape in names}, {key: tuple(value.shape) for key, value in state.items()}, what, hint)
    return {ours: turned(state[theirs]) for ours, theirs, _ in names}


def count(state: State, pattern: str) -> int:
    """Return one more than the largest number that the first group of ``pattern`` finds at the start of a name; 0 for none."""
    return max((int(match[1]) + 1 for key in state if (match := re.match(pattern, key))), default=0)


# --- vSHARP -----------------------------------------------------------------------------------------------------------


def is_vsharp(state: State) -> bool:
    """Return whether these tensors look like a dynamic vSHARP."""
    return "learning_rate_eta" in state and "rho" in state


def vsharp(state: State, what: str) -> tuple[Tensors, dict[str, Any]]:
    """Return the tensors of a ``VSharpNet3D`` by our names, and its settings.

    Raises
    ------
    CheckpointMismatch
        When names or shapes are not exactly those of the network.
    """
    channels, out_channels, filters, pools = unet_sizes(state, "denoiser_blocks.0.", what)
    widths: list[int] = []
    while (conv := state.get(f"initializer.conv_blocks.{len(widths)}.1.weight")) is not None and conv.ndim:
        widths.append(int(conv.shape[0]))
    steps, dimensions = int(state["rho"].size), state["denoiser_blocks.0.down_sample_layers.0.layers.0.weight"].ndim - 2
    shares = count(state, r"denoiser_blocks\.(\d+)\.") == 1 < steps
    if (channels, out_channels, dimensions) != (6, 2, 3) or len(widths) != len(DILATIONS) or shares:
        raise CheckpointMismatch(
            f"{what} is another form of vSHARP (expected three-dimensional U-Nets of 6 to 2 channels, one for each step, and four "
            f"convolutions of the multiplier / found {dimensions} dimensions, {channels} to {out_channels} channels, "
            f"{'one U-Net for all steps' if shares else 'one for each'}, {len(widths)} convolutions)",
            "Only the dynamic vSHARP (VSharpNet3D) without shared parameters can be imported.",
        )
    names: Names = [("eta", "learning_rate_eta", (int(state["learning_rate_eta"].size),)), ("rho", "rho", (steps,))]
    for i, (a, b) in enumerate(zip((2, *widths[:-1]), widths, strict=True)):
        names.append((f"initialiser.convs.{i}.weight", f"initializer.conv_blocks.{i}.1.weight", (b, a, 3, 3, 3)))
        names.append((f"initialiser.convs.{i}.bias", f"initializer.conv_blocks.{i}.1.bias", (b,)))
    names.append(("initialiser.output.weight", "initializer.out_block.0.weight", (2, widths[-1], 1, 1, 1)))
    names.append(("initialiser.output.bias", "initializer.out_block.0.bias", (2,)))
    names.append(("initialiser.activation.weight", "initializer.activation.weight", (1,)))
    for step in range(steps):
        names += unet_names(f"denoisers.{step}.unet.", f"denoiser_blocks.{step}.", 6, 2, filters, pools, 3)
    hint = "This source reads VSharpNet3D without shared parameters, started with the SENSE image."
    tensors = translated(state, names, f"{what} is not a dynamic vSHARP", hint)
    rho = tensors.pop("rho")
    tensors |= {f"denoisers.{step}.rho": rho[step : step + 1].reshape(()) for step in range(steps)}
    config = {
        "steps": steps,
        "dc_steps": int(tensors["eta"].size),
        "filters": filters,
        "pools": pools,
        "initialiser": tuple(widths),
        "dilations": DILATIONS,
    }
    return tensors, config


# --- E2E VarNet -------------------------------------------------------------------------------------------------------


def is_e2e(state: State) -> bool:
    """Return whether these tensors look like an E2E VarNet."""
    return "layers_list.0.learning_rate" in state


def e2e_varnet(state: State, sensitivity: State | None, what: str) -> tuple[Tensors, dict[str, Any]]:
    """Return the tensors of an ``EndToEndVarNet`` and of its coil-map network, if there is one, by our names; and its settings.

    Raises
    ------
    CheckpointMismatch
        When names or shapes are not exactly those of the network.
    """
    first = "layers_list.0.regularizer_model."
    channels, out_channels, filters, pools = unet_sizes(state, first, what)
    if (channels, out_channels) != (2, 2):
        raise CheckpointMismatch(
            f"{what} takes {channels} and gives {out_channels} channels (expected 2 and 2, one complex image)",
            "Only networks that see one image at a time can be imported here.",
        )
    cascades = count(state, r"layers_list\.(\d+)\.")
    names: Names = []
    for index in range(cascades):
        names.append((f"cascades.{index}.eta", f"layers_list.{index}.learning_rate", (1,)))
        names += unet_names(f"cascades.{index}.unet.", f"layers_list.{index}.regularizer_model.", 2, 2, filters, pools)
    tensors = translated(state, names, f"{what} is not an E2E VarNet of DIRECT", "This source reads EndToEndVarNet.")
    config: dict[str, Any] = {"cascades": cascades, "filters": filters, "pools": pools, "form": "direct", "maps": "given"}
    if sensitivity is not None:
        channels, out_channels, maps_filters, maps_pools = unet_sizes(sensitivity, "", what)
        names = list(unet_names("sensitivity.unet.", "", 2, 2, maps_filters, maps_pools))
        hint = "This source reads UnetModel2d of 2 channels."
        tensors |= translated(sensitivity, names, f"the coil-map network of {what} is not DIRECT's U-Net", hint)
        config |= {"maps": "network", "maps_filters": maps_filters, "maps_pools": maps_pools}
    return scalars(tensors, ".eta"), config


def scalars(tensors: Tensors, *endings: str) -> Tensors:
    """Return the tensors with those of one element whose name ends so as plain numbers, without an axis."""
    return {name: value.reshape(()) if name.endswith(endings) else value for name, value in tensors.items()}
