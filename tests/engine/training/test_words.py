"""What a run is told, and what it tells: pause, stop, minutes, patience, logs; self-supervision; the mapping network."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
import types

import numpy as np
import pytest
import torch

from engine.core.errors import InputError, OutputError
from engine.core.records.events import Ended, Started, Stepped, Validation
from engine.relaxometry.contract import MODELS as FITS
from engine.training import loop
from engine.training import run as runs
from engine.training.config import from_values
from engine.training.events import CsvLog, TensorBoardLog, command, line, read_log, tell
from engine.training.loop import HELD, Stopped, WordToken, validate
from engine.training.selfsupervised import split_lines
from engine.training.setup import set_up
from engine.training.state import BEST, read_checkpoint, read_notes
from engine.training.steps import predict
from engine.weights import library as weights_library
from tests.engine.training.conftest import disc_series, nobody
from tests.engine.training.test_data import undersampled


def longer(config, **run):
    return dataclasses.replace(config, run=dataclasses.replace(config.run, **run))


def test_pause_waits_and_go_goes_on(config, tmp_path, library, monkeypatch):
    folder, events, waited = tmp_path / "run", [], []

    def wait(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            tell(folder, "go")

    monkeypatch.setattr(loop, "time", types.SimpleNamespace(monotonic=time.monotonic, sleep=wait))

    def sink(event):
        events.append(event.event)
        if isinstance(event, Started):
            tell(folder, "pause")

    assert runs.run(config, folder, sink) == "tiny"
    assert waited == [loop.PAUSE_SECONDS] * 3
    assert events.index("paused") < events.index("resumed") < events.index("step")


def test_stop_before_the_first_validation_scores_what_was_learned(config, tmp_path, library):
    folder, events = tmp_path / "run", []

    def sink(event):
        events.append(event)
        if isinstance(event, Stepped):
            tell(folder, "stop")

    runs.run(longer(config, steps=1000, epoch=1000), folder, sink)
    scored = [event.step for event in events if isinstance(event, Validation)]
    assert len(scored) == 2
    assert scored[1] > 0
    assert read_notes(folder / "last.safetensors")["ended"] == "stop"
    assert not (folder / "process").exists()


def test_stop_is_heard_within_a_step(config, tmp_path, library, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(loop, "time", types.SimpleNamespace(monotonic=lambda: clock[0]))
    state = set_up(config, tmp_path / "run", nobody)
    token = WordToken(state)
    token.check()
    tell(state.folder, "stop")
    token.check()  # the folder is not looked at each time
    clock[0] += 1.01 * loop.PAUSE_SECONDS
    with pytest.raises(Stopped, match="stop"):
        token.check()
    with pytest.raises(InputError, match=r"cannot be told to dance \(expected pause, go, stop, discard\)"):
        tell(state.folder, "dance")
    (state.folder / "control").write_text("nonsense")
    assert command(state.folder) == "go"


def test_minutes_and_patience_end_a_run(config, tmp_path, library):
    for name, run, reason in (
        ("minutes", {"steps": 100_000, "epoch": 50_000, "minutes": 0.02}, "minutes"),
        ("patience", {"steps": 400, "epoch": 2, "patience": 2}, "patience"),
    ):
        events = []
        learning = 1e-9 if name == "patience" else 1e-3
        optimiser = dataclasses.replace(config.optimiser, learning_rate=learning, ema=0.0)
        runs.run(dataclasses.replace(longer(config, **run), optimiser=optimiser), tmp_path / name, events.append)
        (end,) = (event for event in events if isinstance(event, Ended))
        assert end.reason == reason
        assert end.step < run["steps"]


def test_csv_log_is_read_back_with_the_later_of_two(tmp_path):
    log = CsvLog(tmp_path)
    log(Started("somewhere"))
    log(Stepped(1, 9, 0.5, 1e-3, 1.5, {"l1": 0.5}))
    log(Stepped(2, 9, 0.4, 1e-3, 2.5))
    log(Validation(2, {"psnr": 30.0, "ssim": 0.9}, 30.0, "psnr", best=True, seconds=0.5, preview="a.npy"))
    log(Stepped(2, 9, 0.3, 1e-3, 3.5))
    with (tmp_path / "log.csv").open("a") as stream:
        stream.write("step,")
    assert read_log(tmp_path) == [
        Stepped(1, loss=0.5, learning_rate=1e-3, seconds=1.5),
        Stepped(2, loss=0.3, learning_rate=1e-3, seconds=3.5),
        Validation(2, {"psnr": 30.0, "ssim": 0.9}, 30.0, "psnr", seconds=0.5),
    ]
    assert read_log(tmp_path / "nowhere") == []
    with pytest.raises(OutputError, match=r"cannot write .*log\.csv"):
        CsvLog(tmp_path / "nowhere")(Stepped(1))


def test_events_are_json_with_null_for_what_is_no_number():
    told = json.loads(line(Stepped(3, 9, float("nan"), 1e-3, 1.5, {"l1": 0.5})))
    assert told == {"event": "step", "step": 3, "steps": 9, "loss": None, "learning_rate": 1e-3, "seconds": 1.5, "loss_l1": 0.5}


def test_tensorboard_gets_losses_and_scores(tmp_path, monkeypatch):
    written = []

    class Writer:
        def __init__(self, folder):
            written.append(folder)

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def flush(self):
            """Nothing to flush."""

        def close(self):
            written.append("closed")

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    log = TensorBoardLog(tmp_path)
    log(Started("somewhere", parameters=3))
    log(Stepped(4, 9, loss=0.5, terms={"l1": 0.5}))
    log(Validation(4, {"psnr": 31.0}, 31.0, "psnr", best=True, preview="x"))
    log.close()
    assert written[0] == str(tmp_path / "tensorboard")
    assert written[-1] == "closed"
    assert {("step/loss", 0.5, 4), ("step/loss_l1", 0.5, 4), ("validation/psnr", 31.0, 4)} <= set(written[1:-1])
    assert not any(name.endswith(("best", "metric", "preview")) for name, *_ in written[1:-1])
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="a TensorBoard log needs the package tensorboard"):
        TensorBoardLog(tmp_path)


def test_split_is_disjoint_keeps_the_centre_and_needs_samples():
    mask = torch.zeros(1, 2, 1, 32, 1, dtype=torch.bool)
    mask[..., ::3, :] = mask[..., 12:20, :] = True
    shown, held = split_lines(mask, 8, np.random.default_rng(0))
    assert not (shown & held).any()
    assert torch.equal(shown | held, mask)
    assert shown[..., 15:18, :].all()
    assert 0.25 < float(held.float().mean() / mask.float().mean()) < 0.5
    few = torch.zeros(1, 1, 1, 32, 1, dtype=torch.bool)
    few[..., 15:18, :] = True
    with pytest.raises(InputError, match=r"too few samples to split for self-supervision .*found 0"):
        split_lines(few, None, np.random.default_rng(0))


@pytest.mark.slow
def test_it_learns_from_undersampled_data_only(values, tmp_path, library):
    """No truth is anywhere in the run; against the truth, which only this test knows, the image is better for it."""
    folder = tmp_path / "under"
    folder.mkdir()
    undersampled(folder, 3)
    values["data"] |= {"sources": [{"location": str(folder)}], "mode": "self", "columns": 0, "augmentation": {"loop": False}}
    values["model"] = {"network": "dc_cnn", "preset": "small"}
    values |= {"losses": {"kspace_l1_l2": 1.0}, "run": {"steps": 120, "epoch": 30, "threads": 1, "device": "cpu"}}
    values["optimiser"] |= {"learning_rate": 3e-3, "batch": 1}
    events = []
    config = from_values(values)
    identifier = runs.run(config, tmp_path / "run", events.append)
    scores = [event.score for event in events if isinstance(event, Validation)]
    assert all(event.metric == HELD and "psnr" not in event.scores for event in events if isinstance(event, Validation))
    assert scores[-1] > scores[0] + 1.0
    assert weights_library.card(identifier).card.scores == {HELD: pytest.approx(max(scores))}
    state = set_up(config, tmp_path / "again", nobody)
    example = state.validation[0]
    truth = torch.from_numpy(disc_series(int(example.subject.rsplit("under", 1)[1].split(".")[0])))
    errors = []
    for weights in (state.module.state_dict(), {**state.module.state_dict(), **_best(tmp_path / "run")}):
        state.module.load_state_dict({key: value.clone() for key, value in weights.items()})
        with torch.inference_mode():
            image, data = predict(state.module.eval(), state.spec, example, "float32")
        scale = float(example.full.abs().max() / data.full.abs().max())
        errors.append(float((image[0].abs() * scale - truth).square().mean()))
    assert errors[1] < 0.8 * errors[0]


def _best(folder):
    return read_checkpoint(folder / BEST)[0]


@pytest.mark.slow
def test_mapping_network_learns_from_the_signal_model_and_guides_a_reconstruction(tmp_path, library):
    values = {
        "name": "m",
        "model": {"network": "mapping_network", "preset": "small", "options": {"filters": 8}},
        "data": {
            "sources": [{"location": "phantom:molli"}], "columns": 0, "validation_columns": 0, "validation_examples": 1,
            "acquisition": {"coils": [1, 1], "snr": [100, 100], "matrix": [32, 32]}, "augmentation": {"probability": 0.0},
        },
        "losses": {"l1_tissue": 1.0},
        "optimiser": {"learning_rate": 5e-3, "warm_up": 2, "ema": 0.0},
        "run": {"steps": 30, "epoch": 30, "threads": 1, "device": "cpu"},
    }  # fmt: skip
    values["data"]["reuse"] = 30
    events = []
    mapping = runs.run(from_values(values), tmp_path / "m", events.append)
    found = [event.scores["psnr"] for event in events if isinstance(event, Validation)]
    assert found[-1] > found[0] + 1.0
    assert weights_library.card(mapping).card.network in {model.network for _, model in FITS.items()}
    values |= {"name": "guided", "losses": {"l1_magnitude": 0.2, "ssim": 0.8, "relax_signal": 0.01, "relax_maps": 0.1}}
    values["model"] = {"network": "vn_unet_relax", "preset": "small", "mapping": mapping, "options": {"cascades": 1, "filters": 4}}
    values["run"] |= {"steps": 2, "epoch": 2}
    state = set_up(from_values(values), tmp_path / "guided", nobody)
    assert not any(parameter.requires_grad for parameter in state.mapping.parameters())
    events.clear()
    runs.run(from_values(values), tmp_path / "guided2", events.append)
    step = next(event for event in events if isinstance(event, Stepped))
    assert all(np.isfinite(step.terms[name]) and step.terms[name] > 0 for name in values["losses"])


def test_validation_leaves_the_weights_in_training(config, tmp_path, library):
    state = set_up(config, tmp_path / "run", nobody)
    before = {key: value.clone() for key, value in state.module.state_dict().items()}
    state.ema = {key: value + 1 for key, value in state.ema.items()}
    validate(state, nobody)
    assert state.module.training
    assert all(torch.equal(value, before[key]) for key, value in state.module.state_dict().items())
