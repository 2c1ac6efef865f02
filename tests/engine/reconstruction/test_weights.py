"""Importing published weights and loading them into networks."""

from __future__ import annotations

import re
from dataclasses import asdict

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file

from engine.core import places
from engine.core.errors import CheckpointMismatch, FormatError, InputError, UnknownNameError
from engine.core.records.weights import ModelCard
from engine.models import MODELS, ReconInput
from engine.models.jotlasnet import JotlasNet, JotlasNetConfig
from engine.physics.operator import SenseOperator
from engine.reconstruction.weights import import_weights, load
from engine.weights import library
from tests.engine.weights.bundle import write_bundle
from tests.engine.weights.published.test_jotlasnet_tf import checkpoint


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(places.WEIGHTS_VARIABLE, str(tmp_path / "library"))
    monkeypatch.setattr(library, "bundled_folder", lambda: tmp_path / "bundled")
    return tmp_path / "library"


@pytest.fixture
def published(tmp_path, rng):
    return write_bundle(tmp_path / "weight-best", checkpoint(rng))


def small(seed=0):
    torch.manual_seed(seed)
    return JotlasNet(MODELS.get("jotlasnet").presets["small"])


def test_imported_weights_are_listed_and_load(published):
    name = import_weights(published, "jotlasnet-tf", "mine")
    assert name == "mine"
    found = library.card(name)
    card = found.card
    assert (card.network, card.licence, card.preset) == ("jotlasnet", "GPL-3.0", None)
    assert card.config == {"cells": 2, "channels": 3, "start": "zero_filled"}
    network, again = load("jotlasnet", "mine", "cpu")
    assert again["sha256"] == card.sha256
    assert not network.training
    assert sum(p.numel() for p in network.parameters()) == card.parameters
    stored = load_file(found.file)
    assert all(np.array_equal(value.detach().numpy(), stored[key]) for key, value in network.state_dict().items())


def test_without_a_name_the_id_comes_from_network_and_label(published):
    assert import_weights(published, "jotlasnet-tf") == "jotlasnet-weight-best"
    assert import_weights(published, "jotlasnet-tf") == "jotlasnet-weight-best"


def test_nothing_is_installed_when_something_is_wrong(published, folder):
    with pytest.raises(UnknownNameError, match="unknown source of weights 'jotlasnet'") as caught:
        import_weights(published, "jotlasnet")
    assert "jotlasnet-tf" in caught.value.hint
    with pytest.raises(InputError, match="cannot name weights"):
        import_weights(published, "jotlasnet-tf", "../x")
    with pytest.raises(FormatError, match="no TensorFlow checkpoint"):
        import_weights(published.with_name("no"), "jotlasnet-tf")
    assert not folder.exists()


def test_a_loose_file_is_recognised_by_its_shapes(tmp_path):
    network = small()
    save_file(network.state_dict(), tmp_path / "Loose.safetensors")
    found, card = load("jotlasnet", str(tmp_path / "Loose.safetensors"))
    assert (card["id"], card["preset"], card["network"]) == ("loose", "small", "jotlasnet")
    assert card["parameters"] == sum(p.numel() for p in network.parameters())
    assert all(torch.equal(a, b) for a, b in zip(found.state_dict().values(), network.state_dict().values(), strict=True))


def test_a_copied_file_knows_its_settings_and_its_card(tmp_path, published):
    import_weights(published, "jotlasnet-tf", "mine")
    source = library.find("mine").path
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(source.read_bytes())
    assert load("jotlasnet", str(alone))[1]["config"] == {"cells": 2, "channels": 3, "start": "zero_filled"}
    assert load("jotlasnet", str(alone))[1]["licence"] == "GPL-3.0"
    assert load("jotlasnet", str(source))[1]["id"] == "mine"
    (tmp_path / "alone.json").write_text("[1, 2]")
    assert load("jotlasnet", str(alone))[1]["id"] == "alone"


def test_half_precision_files_are_widened(tmp_path):
    save_file({k: v.half() for k, v in small().state_dict().items()}, tmp_path / "half.safetensors")
    network, _ = load("jotlasnet", str(tmp_path / "half.safetensors"))
    assert all(p.dtype == torch.float32 for p in network.parameters())


@pytest.mark.slow
def test_weights_of_another_network_are_refused_by_name(tmp_path):
    card = ModelCard(id="other", network="crunet_mr", config={}, parameters=0, sha256="")
    library.add({"a": np.zeros(3, np.float32)}, card)
    with pytest.raises(CheckpointMismatch, match=r"weights of another network \(expected jotlasnet / found crunet_mr\)") as caught:
        load("jotlasnet", "other")
    assert "crunet_mr" in caught.value.hint
    save_file({"x": torch.zeros(3)}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointMismatch, match="do not fit jotlasnet, preset paper, nor any other") as caught:
        load("jotlasnet", str(tmp_path / "x.safetensors"))
    assert "missing: cells.0" in caught.value.message
    assert "and 295 more" in caught.value.message
    assert "unknown: x" in caught.value.message


def test_a_card_that_does_not_fit_its_file_is_refused():
    state = {k: v.numpy() for k, v in small().state_dict().items()}
    library.add(state, ModelCard(id="wrong", network="jotlasnet", config={"cells": 5, "channels": 7}, parameters=0, sha256=""))
    with pytest.raises(CheckpointMismatch, match=r"wrong does not fit jotlasnet .*other shape"):
        load("jotlasnet", "wrong")
    library.add(state, ModelCard(id="odd", network="jotlasnet", config={"depth": 5}, parameters=0, sha256=""))
    with pytest.raises(CheckpointMismatch, match="settings of odd are not those of jotlasnet") as caught:
        load("jotlasnet", "odd")
    assert caught.value.hint


def test_without_a_name_the_only_weights_serve(published):
    with pytest.raises(InputError, match=r"jotlasnet needs weights .*0 at hand") as caught:
        load("jotlasnet", None)
    assert "--source jotlasnet-tf" in caught.value.hint
    import_weights(published, "jotlasnet-tf", "one")
    assert load("jotlasnet", None)[1]["id"] == "one"
    import_weights(published, "jotlasnet-tf", "two")
    with pytest.raises(InputError, match="2 at hand") as caught:
        load("jotlasnet", None)
    assert "one, two" in caught.value.hint
    import_weights(published, "jotlasnet-tf", "jotlasnet")
    assert load("jotlasnet", None)[1]["id"] == "jotlasnet", "what bears the network's own name goes first"


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("egla_varnet", r"Nobody published weights of egla_varnet .*myoscope train .*egla-varnet\.toml"),
        ("jotlasnet", r"weights import FILE --source jotlasnet-tf.* train it: `myoscope train .*jotlasnet\.toml"),
        ("miccan", r"network = \"miccan\" under \[model\]"),
    ],
)
def test_without_weights_the_hint_says_how_to_get_them(network, words, monkeypatch, tmp_path):
    monkeypatch.setenv("MYOSCOPE_WEIGHTS", str(tmp_path / "none"))
    with pytest.raises(InputError, match="needs weights") as caught:
        load(network, None)
    assert re.search(words, caught.value.hint), caught.value.hint


def test_unknown_damaged_and_pickled_weights_are_refused(tmp_path, published):
    with pytest.raises(UnknownNameError, match="unknown weights 'mine'"):
        load("jotlasnet", "mine")
    with pytest.raises(FormatError, match="no weights at"):
        load("jotlasnet", str(tmp_path / "gone.safetensors"))
    torch.save(small().state_dict(), tmp_path / "net.pth")
    with pytest.raises(FormatError, match=r"net\.pth is not a \.safetensors file"):
        load("jotlasnet", str(tmp_path / "net.pth"))
    import_weights(published, "jotlasnet-tf", "mine")
    path = library.find("mine").path
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(FormatError, match="mine are damaged"):
        load("jotlasnet", "mine")


def test_classical_methods_take_no_weights():
    with pytest.raises(InputError, match="zero_filled has no weights"):
        load("zero_filled", "any")


@pytest.mark.slow
@pytest.mark.shared
def test_the_released_checkpoint_gives_the_recorded_output(shared):
    folder = shared / "golden" / "released" / "jotlasnet-radial-16"
    name = import_weights(folder / "tf" / "weight-best.index", "jotlasnet-tf")
    assert name == "jotlasnet-radial-16"
    network, card = load("jotlasnet", name)
    assert (card["preset"], card["parameters"], card["normalisation"]) == ("paper", 708_075, "image_max")
    assert card["config"] == asdict(JotlasNetConfig())
    # Their phase encoding is along the last axis, ours along the one before.
    recorded = {k: torch.from_numpy(v).mT for k, v in np.load(folder / "io.npz").items() if v.ndim >= 2}
    operator = SenseOperator(recorded["mask"].bool()[None, :, None], torch.ones(1, 1, 1, 56, 64, dtype=torch.complex64))
    with torch.inference_mode():
        image = network(ReconInput(recorded["kspace_masked"][None, :, None], operator))
    expected = recorded["output"]
    assert (image[0] - expected).abs().max() < 1e-5 * expected.abs().max()
