"""Checkpoints of fastMRI's E2E VarNet (MIT), as Facebook AI Research published them and as its program writes them."""

from __future__ import annotations

from pathlib import Path

from engine.core.errors import CheckpointMismatch
from engine.weights.published.contract import PUBLISHED, Importer, Published
from engine.weights.published.direct_unets import Names, count, scalars, translated
from engine.weights.published.torch_file import read_state, without_prefix
from engine.weights.published.unet_names import unet_names, unet_sizes

URL = "https://github.com/facebookresearch/fastMRI"
HINT = "This source reads fastMRI's VarNet: varnet_*_state_dict.pt, or a checkpoint of its training."
# What a checkpoint of its training holds beside the network.
BOOKKEEPING = {"loss.w"}


def read(path: Path) -> Published:
    """Read a state dict of ``VarNet``, a checkpoint of its training, or a safetensors file with the same names.

    Raises
    ------
    FormatError
        When the file is damaged, or holds more than tensors and plain values.
    CheckpointMismatch
        When names or shapes are not exactly those of a VarNet.
    """
    state = {key: value for key, value in read_state(path).items() if key not in BOOKKEEPING}
    state = without_prefix(state, "varnet.", "module.")
    cascades = count(state, r"cascades\.(\d+)\.")
    if not cascades or "cascades.0.dc_weight" not in state:
        raise CheckpointMismatch(
            f"{path.name} is not a VarNet of fastMRI (expected a tensor cascades.0.dc_weight / found "
            f"{', '.join(sorted(state)[:3])})",
            HINT,
        )
    _, _, filters, pools = unet_sizes(state, "cascades.0.model.unet.", path.name)
    _, _, maps_filters, maps_pools = unet_sizes(state, "sens_net.norm_unet.unet.", path.name)
    names: Names = list(unet_names("sensitivity.unet.unet.", "sens_net.norm_unet.unet.", 2, 2, maps_filters, maps_pools))
    for index in range(cascades):
        names.append((f"cascades.{index}.eta", f"cascades.{index}.dc_weight", (1,)))
        names += unet_names(f"cascades.{index}.unet.unet.", f"cascades.{index}.model.unet.", 2, 2, filters, pools)
    tensors = scalars(translated(state, names, f"{path.name} is not a VarNet of fastMRI", HINT), ".eta")
    config = {
        "cascades": cascades,
        "filters": filters,
        "pools": pools,
        "maps": "network",
        "maps_filters": maps_filters,
        "maps_pools": maps_pools,
        "form": "fastmri",
    }
    card = {
        "source": f"{URL}, {path.name}",
        "coils": "multi-coil, maps found by the network from the ACS lines",
        "known_failures": ("The published sets were trained on knees and brains, one image at a time; not on hearts.",),
    }
    return Published(tensors, config, path.stem, card, "e2e_varnet")


PUBLISHED.register(
    "fastmri",
    Importer(
        name="fastmri",
        title="fastMRI's E2E VarNet, PyTorch checkpoints",
        networks=("e2e_varnet",),
        licence="MIT",
        url=URL,
        read=read,
    ),
)
