"""Checkpoints of relax_qmri_recon (PyTorch, no licence): RVN, VN-UNet and the mapping network, by their authors' key names.

The weights are not part of this program. Whoever has them can import them; they stay under their authors' terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engine.core.errors import CheckpointMismatch
from engine.weights.published.contract import PUBLISHED, Importer, Published
from engine.weights.published.direct_recurrent import is_recurrent, rvn, sensitivity_unet
from engine.weights.published.direct_unets import Names, count, scalars, translated
from engine.weights.published.torch_file import read_sections, without_prefix
from engine.weights.published.unet_names import unet_names, unet_sizes

URL = "https://github.com/pandafriedlich/relax_qmri_recon"
HINT = "This source reads RVN, VN-UNet and the mapping networks of github.com/pandafriedlich/relax_qmri_recon."
MODEL, MAPPING = "model", "mapping_model"
RECON, SENSITIVITY, INNER_MAPPING = "recon_net.", "sensitivity_net.", "mapping_net."
MAPPING_NETWORK = "mapping_network"

State = Mapping[str, NDArray[Any]]


def read(path: Path) -> Published:
    """Read a checkpoint of its training, a state dict, or a safetensors file with the same names.

    A checkpoint that holds a mapping network beside the reconstruction was trained with its guidance: it is imported as
    vn_unet_relax, without the mapping network (:func:`read_mapping` reads that). So is one with "relax" in the file's name.

    Raises
    ------
    FormatError
        When the file is damaged, or holds more than tensors and plain values.
    CheckpointMismatch
        When names or shapes are not exactly those of one of the networks.
    """
    sections = read_sections(path, MODEL, MAPPING)
    recon, sensitivity, mapping = _parts(sections[MODEL])
    if "conv.layers.0.weight" in recon:
        return _mapping(recon, path)
    if is_recurrent(recon):
        tensors, config = rvn(recon, path.name)
        network = "rvn"
        if sensitivity:
            maps, filters = sensitivity_unet(sensitivity, path.name)
            tensors, config = tensors | maps, config | {"maps": "network", "maps_filters": filters}
    else:
        tensors, config = _vn_unet(recon, sensitivity, path.name)
        guided = bool(mapping) or MAPPING in sections or "relax" in path.stem.lower()
        network = "vn_unet_relax" if guided else "vn_unet"
    return Published(tensors, config, path.stem, _card(path, config["frames"]), network)


def read_mapping(path: Path) -> Published:
    """Read the mapping network alone, also out of a checkpoint that holds it beside a reconstruction network.

    Raises
    ------
    FormatError, CheckpointMismatch
        As :func:`read`.
    """
    sections = read_sections(path, MODEL, MAPPING)
    recon, _, mapping = _parts(sections[MODEL])
    return _mapping(sections.get(MAPPING) or mapping or recon, path)


def _parts(state: State) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Return reconstruction, coil-map and mapping network of one state dict, each without its name in front."""
    state = without_prefix(state, "module.")
    inner = {name: _below(state, name) for name in (RECON, SENSITIVITY, INNER_MAPPING)}
    rest = {key: value for key, value in state.items() if not key.startswith((RECON, SENSITIVITY, INNER_MAPPING))}
    return inner[RECON] | rest, inner[SENSITIVITY], inner[INNER_MAPPING]


def _below(state: State, prefix: str) -> dict[str, NDArray[Any]]:
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


def _vn_unet(recon: State, sensitivity: State, what: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    cascades = count(recon, r"block_list\.(\d+)\.")
    if not cascades:
        raise CheckpointMismatch(
            f"{what} is none of the networks (expected tensors named block_list.0. or conv.layers. / found "
            f"{', '.join(sorted(recon)[:3]) or 'nothing'})",
            HINT,
        )
    channels, out_channels, filters, pools = unet_sizes(recon, "block_list.0.regularizer.", what)
    _require_pairs(channels, out_channels, what)
    names: Names = []
    for index in range(cascades):
        names.append((f"cascades.{index}.alpha", f"block_list.{index}.learning_rate", (1,)))
        names += unet_names(f"cascades.{index}.unet.", f"block_list.{index}.regularizer.", channels, channels, filters, pools)
    tensors = translated(recon, names, f"{what} is not a VN-UNet", HINT)
    config: dict[str, Any] = {"frames": channels // 2, "cascades": cascades, "filters": filters, "pools": pools, "maps": "given"}
    if sensitivity:
        found, _, maps_filters, maps_pools = unet_sizes(sensitivity, "", what)
        _require_pairs(found, channels, what)
        names = list(unet_names("sensitivity.unet.", "", channels, channels, maps_filters, maps_pools))
        tensors |= translated(sensitivity, names, f"the coil-map network of {what} is not a U-Net of all times", HINT)
        config |= {"maps": "network", "maps_filters": maps_filters, "maps_pools": maps_pools}
    return scalars(tensors, ".alpha"), config


def _require_pairs(channels: int, out_channels: int, what: str) -> None:
    if channels != out_channels or channels % 2:
        raise CheckpointMismatch(
            f"a U-Net of {what} takes {channels} and gives {out_channels} channels (expected two for each image)",
            HINT,
        )


def _mapping(state: State, path: Path) -> Published:
    """Return the mapping network; of a T2 network with three outputs, of which its program uses two, the third is left out."""
    channels, out_channels, filters, pools = unet_sizes(state, "", path.name)
    samples = channels // 2
    quantity = "T1" if out_channels == 3 and samples != 3 else "T2"
    if channels % 2 or out_channels not in (2, 3):
        raise CheckpointMismatch(
            f"{path.name} is not a mapping network (expected two channels for each time, 2 or 3 maps / found {channels} and "
            f"{out_channels})",
            HINT,
        )
    names = list(unet_names("unet.", "", channels, out_channels, filters, pools))
    tensors = translated(state, names, f"{path.name} is not a mapping network", HINT)
    if quantity == "T2":
        for name in ("unet.output.weight", "unet.output.bias"):
            tensors[name] = tensors[name][:2].copy()
    config = {"quantity": quantity, "samples": samples, "filters": filters, "pools": pools}
    return Published(tensors, config, path.stem, _card(path, samples), MAPPING_NETWORK)


def _card(path: Path, frames: int) -> dict[str, Any]:
    return {
        "source": f"{URL}, {path.name}",
        "data": "CMRxRecon 2023 mapping series (as the authors say)",
        "coils": "multi-coil",
        "normalisation": "kspace_p99_all",
        "known_failures": (f"Serves series of {frames} images, at times like those of its training.",),
    }


PUBLISHED.register(
    "relax-qmri",
    Importer(
        name="relax-qmri",
        title="RVN, VN-UNet and mapping network of relax_qmri_recon, its authors' PyTorch checkpoints",
        networks=("rvn", "vn_unet", "vn_unet_relax", MAPPING_NETWORK),
        licence="none stated",
        url=URL,
        read=read,
    ),
)
