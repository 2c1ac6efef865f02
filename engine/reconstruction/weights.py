"""From a set of weights to a network that carries them, and from a published checkpoint to a set of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from engine.core.errors import CheckpointMismatch, FormatError, InputError
from engine.core.provenance import sha256
from engine.core.records.plain import table
from engine.core.records.weights import ModelCard
from engine.models import MODELS, ModelSpec
from engine.models.parts.mapping import MAPPING
from engine.weights import library
from engine.weights.card import from_json
from engine.weights.published import PUBLISHED, compare
from engine.weights.recipes import folder, recipes_for

Shapes = Mapping[str, tuple[int, ...]]


def import_weights(path: str | Path, source: str, name: str | None = None) -> str:
    """Import published weights into the user's library.

    Parameters
    ----------
    path
        File or folder, as the source wants it.
    source
        Name of an importer (:data:`engine.weights.published.PUBLISHED`).
    name
        Id to install them under; None makes one from network and label.

    Returns
    -------
    str
        The id.

    Raises
    ------
    UnknownNameError, FormatError, CheckpointMismatch, InputError, OutputError
        When there is no such source, the file is damaged, a key or a shape does not fit, the id is taken, or the library
        cannot be written. Nothing is installed then.
    """
    importer = PUBLISHED.get(source)
    published = importer.read(Path(path))
    spec = spec_of(importer.network_of(published))
    config = make_config(spec, published.config, f"{Path(path).name}")
    shapes = {key: tuple(value.shape) for key, value in published.tensors.items()}
    compare(
        expected_shapes(spec, config), shapes, f"{Path(path).name} does not fit {spec.name}", "This is a defect of the importer."
    )
    card = ModelCard(
        id=library.slug(f"{spec.name}-{published.label}") if name is None else name,
        network=spec.name,
        preset=preset_of(spec, config),
        config=asdict(config),
        parameters=0,
        sha256="",
        **{"licence": importer.licence, **published.card},
    )
    return library.add(published.tensors, card).card.id


def load(network: str, weights: str | None, device: torch.device | str = "cpu") -> tuple[nn.Module, dict[str, Any]]:
    """Build a network and load weights into it.

    Parameters
    ----------
    network
        Registry name of the method.
    weights
        Id in the library, or path of a ``.safetensors`` file (with or without a card beside it). None takes those that bear the
        network's own name, as what comes with the program does, else the only ones at hand.
    device
        Where the network shall be.

    Returns
    -------
    module, card
        The network in evaluation mode, and its card as plain values (made up from the file where it has none).

    Raises
    ------
    InputError
        When the method has no weights, or none were named and there is not exactly one set.
    UnknownNameError, FormatError
        When the weights are not there, or damaged.
    CheckpointMismatch
        When they belong to another network or to other settings; the message names the network they are for.
    """
    spec = spec_of(network)
    if not spec.trainable:
        raise InputError(f"{network} has no weights (expected a network)", "Leave out --weights.")
    if weights is None:
        weights = _default(spec)
    path, card = _locate(spec, weights)
    if card.network != spec.name:
        raise CheckpointMismatch(
            f"{weights} are weights of another network (expected {spec.name} / found {card.network})",
            f"Choose --method {card.network}, or weights of {spec.name}: `myoscope weights list`.",
        )
    config = make_config(spec, card.config, weights)
    compare(
        expected_shapes(spec, config),
        library.read_header(path).shapes,
        f"{weights} does not fit {spec.name}",
        f"The file and its card disagree; choose other weights of {spec.name}: `myoscope weights list`.",
    )
    with torch.device("meta"):
        module = spec.build(config)
    assert isinstance(module, nn.Module)
    tensors = load_file(path, device=str(device))
    kinds = {key: value.dtype for key, value in module.state_dict().items()}
    tensors = {key: value.to(kinds[key]) for key, value in tensors.items()}
    module.load_state_dict(tensors, assign=True)
    if any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers())):
        # Buffers that no file holds have to be computed.
        built = spec.build(config)
        assert isinstance(built, nn.Module)
        built.load_state_dict(tensors)
        module = built.to(device)
    return module.eval(), dict(table(card))


def card_of(weights: str) -> ModelCard:
    """Return the card of weights in the library (id) or of a ``.safetensors`` file (path; made up where it has none).

    Raises
    ------
    UnknownNameError, FormatError, CheckpointMismatch
        They are not there, damaged, or of no network known here.
    """
    return _locate(next(spec for _, spec in MODELS.items() if spec.trainable), weights)[1]


def spec_of(network: str) -> ModelSpec:
    """Return the spec of a method, or of the mapping network, which has weights too but makes maps instead of images.

    Raises
    ------
    UnknownNameError
        When there is neither.
    """
    return MAPPING if network == MAPPING.name else MODELS.get(network)


def _default(spec: ModelSpec) -> str:
    ids = library.for_network(spec.name)
    if spec.name in ids:
        return spec.name
    if len(ids) != 1:
        raise InputError(
            f"{spec.name} needs weights (expected --weights ID or FILE / found none named, {len(ids)} at hand)",
            f"Name one of {', '.join(ids)}." if ids else _how_to_get(spec),
        )
    return ids[0]


def sources(network: str) -> list[str]:
    """Return the names of the sources that published weights of a network can be imported from."""
    return [name for name, importer in PUBLISHED.items() if network in importer.networks]


def _how_to_get(spec: ModelSpec) -> str:
    """Return a sentence on where weights of a network come from."""
    named = sources(spec.name)
    if not named:
        return f"Nobody published weights of {spec.name} that can be imported. Train it: {_how_to_train(spec)}."
    importing = f"`myoscope weights import FILE --source {' or '.join(named)}`"
    return f"Import published ones with {importing}, or train it: {_how_to_train(spec)}."


def _how_to_train(spec: ModelSpec) -> str:
    """Return the command that trains a network, with the recipes for it; without one, with what a configuration has to say."""
    found = recipes_for(spec.name)
    if not found:
        return f'`myoscope train CONFIG.toml` with network = "{spec.name}" under [model], as the recipes in {folder()} have it'
    commands = " or ".join(f'`myoscope train "{path}"`' for path in found)
    return f"{commands} (or a copy of the recipe with your own data)"


def _locate(spec: ModelSpec, weights: str) -> tuple[Path, ModelCard]:
    """Return the file and the card of an id or a path."""
    path = Path(weights)
    if path.suffix != library.ENDING and not path.is_file() and path.name == weights:
        entry = library.find(weights)
        library.check_hash(entry)
        return entry.path, entry.card
    header = library.read_header(path)
    beside = library.card_path(path)
    if beside.is_file():
        try:
            card = from_json(beside.read_text(encoding="utf-8"), beside.name)
        except (FormatError, UnicodeDecodeError):
            card = None  # some other JSON file that happens to lie there
        if card is not None:
            library.check_hash(library.Installed(card, path, bundled=False))
            return path, card
    owner, config = _owner(spec, header)
    return path, ModelCard(
        id=library.slug(path.stem),
        network=owner.name,
        preset=preset_of(owner, config),
        config=asdict(config),
        parameters=sum(_count(shape) for shape in header.shapes.values()),
        sha256=sha256(path),
        source=path.name,
        licence=str(header.about.get("licence", "unknown")),
    )


def _owner(spec: ModelSpec, header: library.Header) -> tuple[ModelSpec, Any]:
    """Find the network and the settings of a file without a card: from what we wrote into it, or by its shapes."""
    known = header.about.get("network")
    if isinstance(known, str) and known in (*MODELS.names(), MAPPING.name):
        owner = spec_of(known)
        return owner, make_config(owner, header.about.get("config", {}), known)
    trainable = [spec, *(other for _, other in MODELS.items() if other.trainable and other.name != spec.name)]
    for candidate in trainable:
        for config in candidate.presets.values():
            if dict(expected_shapes(candidate, config)) == dict(header.shapes):
                return candidate, config
    preset, config = next(iter(spec.presets.items()))
    compare(
        expected_shapes(spec, config),
        header.shapes,
        f"these weights do not fit {spec.name}, preset {preset}, nor any other network here",
        f"Choose weights of {spec.name}: `myoscope weights list`, or import published ones: `myoscope weights import`.",
    )
    return spec, config


def make_config(spec: ModelSpec, values: Mapping[str, Any], what: str) -> Any:
    """Return the settings of a network from plain values (lists become tuples).

    Raises
    ------
    CheckpointMismatch
        When they are not settings of this network.
    """
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    try:
        return spec.config(**plain)
    except (TypeError, ValueError, InputError) as error:
        raise CheckpointMismatch(
            f"the settings of {what} are not those of {spec.name} ({error})",
            "The weights are of another version; import them again.",
        ) from error


def preset_of(spec: ModelSpec, config: Any) -> str | None:
    """Return the name of the preset that has these settings, or None."""
    return next((name for name, preset in spec.presets.items() if preset == config), None)


def expected_shapes(spec: ModelSpec, config: Any) -> Shapes:
    """Return the shapes of all tensors of a network's state, without allocating them."""
    with torch.device("meta"):
        module = spec.build(config)
    assert isinstance(module, nn.Module)
    return {key: tuple(value.shape) for key, value in module.state_dict().items()}


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
