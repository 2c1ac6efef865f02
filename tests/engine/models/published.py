"""JotlasNet's released weights for the tests: through the importer, and by the fixtures' own key names."""

from __future__ import annotations

import json
import re

import torch
from safetensors.torch import load_file

from engine.models.jotlasnet import JotlasNet, JotlasNetConfig
from engine.weights.published.jotlasnet_tf import read
from tests.engine.weights.bundle import write_bundle

STACKS = {
    "lowrank_forward": "low_rank.transform",
    "lowrank_backward": "low_rank.inverse_transform",
    "sparse_forward": "sparse.transform",
    "sparse_backward": "sparse.inverse_transform",
}
SCALARS = {"combination_logits": "omega", "lowrank_threshold_logit": "low_rank.threshold", "momentum_logit": "momentum"}


def our_name(name: str) -> str:
    """Translate a fixture's key into ours."""
    cell, rest = re.match(r"(cells\.\d+)\.(.*)", name).groups()
    if match := re.fullmatch(r"(\w+)\.conv(\d)\.weight", rest):
        return f"{cell}.{STACKS[match[1]]}.{int(match[2]) - 1}.weight"
    rest = rest.replace("attention_fc", "sparse.attention.fc")
    return f"{cell}.{SCALARS.get(rest, rest)}"


def imported_network(path):
    """Return the network that the importer makes of a TensorFlow checkpoint; phase encoding is along y."""
    found = read(path)
    network = JotlasNet(JotlasNetConfig(**found.config))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in found.tensors.items()})
    return network.eval()


def as_checkpoint(folder, path):
    """Write a fixture's weights back as the TensorFlow checkpoint that they were read from; returns its prefix."""
    names = json.loads((folder / "key_map.json").read_text(encoding="utf-8"))
    tensors = {}
    for key, value in load_file(folder / "weights.safetensors").items():
        cell, rest = re.match(r"cells\.(\d+)\.(.*)", key).groups()
        name = names[f"cells.<i>.{rest}"].replace("<i>", cell)
        if name.endswith("/kernel/.ATTRIBUTES/VARIABLE_VALUE"):
            value = value.permute(2, 3, 4, 1, 0) if value.ndim == 5 else value.T
        tensors[name] = (value.reshape(()) if value.numel() == 1 else value).contiguous().numpy()
    path.parent.mkdir()
    return write_bundle(path, tensors)
