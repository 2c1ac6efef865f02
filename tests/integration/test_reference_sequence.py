"""`myoscope reconstruct --reference-sequence`: each kind of word, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine import api
from engine.cli import main
from engine.models import MODELS
from engine.models.ima import Ima

pytestmark = pytest.mark.slow  # whole commands, file to file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a tiny cine, another one with other frames, and weights of a small IMA."""
    made = tmp_path_factory.mktemp("led")
    for name, frames in (("c.h5", "3"), ("other.h5", "4")):
        words = ["phantom", "cine", "--out", str(made / name), "--matrix", "40x36", "--coils", "3", "--frames", frames]
        assert main(words) == 0
    torch.manual_seed(0)
    save_file(Ima(MODELS.get("ima").presets["small"]).state_dict(), made / "ima.safetensors")
    return made


def reconstruct(folder, capsys, *words, method="ima"):
    """Run the command; return exit code, its JSON document (or the error's), and the provenance."""
    capsys.readouterr()
    out = folder / "r.h5"
    weights = ["--weights", str(folder / "ima.safetensors")] if method == "ima" else []
    base = ["reconstruct", str(folder / "c.h5"), "--method", method, *weights, "--mask", "equispaced", "-R", "3", "--acs", "8"]
    code = main([*base, "--out", str(out), "--json", "--quiet", *map(str, words)])
    told = capsys.readouterr()
    if code:
        return code, json.loads(told.err), None
    return code, json.loads(told.out), api.open_reconstruction(out)


def test_without_a_word_the_temporal_mean_leads(folder, capsys):
    _, told, silent = reconstruct(folder, capsys)
    assert any("the mean of what the frames measured" in note for note in told["notes"])
    _, _, asked = reconstruct(folder, capsys, "--reference-sequence", "mean")
    assert np.array_equal(silent.image, asked.image)
    assert asked.provenance["reference_sequence"] == {"kind": "temporal mean"}


def test_a_frame_or_another_file_leads(folder, capsys):
    _, _, frame = reconstruct(folder, capsys, "--reference-sequence", "ti:1")
    assert frame.provenance["reference_sequence"] == {"kind": "frame of the series", "frame": 1}
    _, told, other = reconstruct(folder, capsys, "--reference-sequence", folder / "other.h5", "--reference-frame", 3)
    assert other.provenance["reference_sequence"]["frame"] == 3
    assert any(note.startswith("reference sequence: ") and "frame 3" in note for note in told["notes"])
    assert np.abs(frame.image - other.image).max() > 1e-4 * np.abs(frame.image).max()


def test_an_earlier_reconstruction_leads(folder, capsys):
    assert main(["reconstruct", str(folder / "c.h5"), "--method", "cg_sense", "--out", str(folder / "cg.h5"), "--quiet"]) == 0
    code, told, _ = reconstruct(folder, capsys, "--reference-sequence", folder / "cg.h5")
    assert code == 0
    assert any("reference sequence: " in note and "mean" not in note for note in told["notes"])


@pytest.mark.parametrize(
    ("words", "method", "message"),
    [
        (("--reference-sequence", "ti:9"), "ima", "frame 9 of the reference sequence does not exist"),
        (("--reference-sequence", "other.h5"), "ima", "has 4 frames (expected 1, or 3 as the series)"),
        (("--reference-frame", "1"), "ima", "--reference-frame 1 needs a file"),
        (("--reference-sequence", "ti:1", "--reference-frame", "1"), "ima", "--reference-frame 1 needs a file (found ti:1)"),
        (("--reference-sequence", "mean"), "zero_filled", "takes no reference sequence"),
        (("--reference-sequence", "nowhere.h5"), "ima", "nowhere.h5"),
    ],
)
def test_what_cannot_lead_is_an_error_with_a_hint(folder, capsys, monkeypatch, words, method, message):
    monkeypatch.chdir(folder)
    code, told, _ = reconstruct(folder, capsys, *words, method=method)
    assert code == 2
    assert message in told["error"]
    assert told["hint"]
