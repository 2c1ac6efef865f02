"""Released weights with the fixtures' own key names, for the tests (the importers have their own tests)."""

from __future__ import annotations

import re

from safetensors.torch import load_file

from engine.models.jotlasnet import JotlasNet, JotlasNetConfig

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


def released_state(folder):
    """Return a fixture's weights by our names, one-element ones as scalars."""
    values = load_file(folder / "weights.safetensors")
    return {our_name(k): v.reshape(()) if v.numel() == 1 else v for k, v in values.items()}


def released_network(folder):
    """Return the network of the paper with a fixture's weights."""
    network = JotlasNet(JotlasNetConfig())
    network.load_state_dict(released_state(folder))
    return network.eval()
