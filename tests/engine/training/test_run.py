"""A whole run: it learns, it resumes to the same numbers, it hears what it is told, its weights reach the library."""

import csv
import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.core.errors import FormatError, InputError
from engine.core.records.events import Registered, Started, Stepped, Validation
from engine.training import run as runs
from engine.training.config import from_values, to_values
from engine.training.events import tell
from engine.training.loop import learning_rate, train_epoch
from engine.training.setup import set_up
from engine.training.state import BEST, LAST, read_checkpoint, save_best, save_checkpoint
from engine.weights import library as weights_library
from tests.engine.training.conftest import nobody


def train(config, folder, resume=False, events=None):
    return runs.run(config, folder, nobody if events is None else events.append, resume)


@pytest.mark.slow
def test_a_run_lowers_the_loss_and_leaves_weights_with_a_card(config, tmp_path, library):
    events = []
    longer = dataclasses.replace(
        config,
        run=dataclasses.replace(config.run, steps=40, epoch=10),
        optimiser=dataclasses.replace(config.optimiser, learning_rate=1e-2),
    )
    identifier = train(longer, tmp_path / "run", events=events)
    validations = [event for event in events if isinstance(event, Validation)]
    assert [event.step for event in validations] == [0, 10, 20, 30, 40]
    assert validations[-1].scores["psnr"] > validations[0].scores["psnr"] + 0.2
    assert isinstance(events[0], Started)
    assert events[-1] == Registered("tiny", pytest.approx(validations[-1].scores["psnr"]), 40)
    card = weights_library.card(identifier).card
    assert card.network == "myonet"
    assert card.scores["psnr"] == pytest.approx(validations[-1].scores["psnr"])
    assert card.accelerations == (2.0, 3.0)
    assert card.config["channels"] == 4
    with (tmp_path / "run" / "log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows if row["event"] == "validation"] == ["0", "10", "20", "30", "40"]
    kept = sorted(path.name for path in (tmp_path / "run").glob("preview-*.npy"))
    assert kept == ["preview-0000000.npy", "preview-0000030.npy", "preview-0000040.npy"]
    assert np.load(tmp_path / "run" / kept[-1]).shape == (5, 32, 28)


def test_lone_numbers_learn_at_a_rate_of_their_own(config, tmp_path, library):
    """The first step of Adam moves every parameter by its learning rate."""
    rates = dataclasses.replace(config.optimiser, learning_rate=1e-3, scalar_rate=20.0, warm_up=0, schedule="constant", clip=0.0)
    run = dataclasses.replace(config.run, steps=1, epoch=1)
    state = set_up(dataclasses.replace(config, optimiser=rates, run=run), tmp_path / "run", nobody)
    before = {name: parameter.detach().clone() for name, parameter in state.module.named_parameters()}
    train_epoch(state, nobody)
    moved = {name: float((parameter.detach() - before[name]).abs().max()) for name, parameter in state.module.named_parameters()}
    numbers = {name for name, parameter in before.items() if name.endswith("log_weights")}
    assert numbers
    assert {round(moved[name], 5) for name in numbers} == {0.02}
    assert max(moved[name] for name in before if name not in numbers) == pytest.approx(1e-3, rel=0.01)


def test_a_second_run_of_the_same_name_overwrites_nothing(config, tmp_path, library):
    short = dataclasses.replace(config, run=dataclasses.replace(config.run, steps=2, epoch=2))
    assert train(short, tmp_path / "a") == "tiny"
    before = weights_library.card("tiny").card.sha256
    other = dataclasses.replace(short, run=dataclasses.replace(short.run, seed=1))
    assert train(other, tmp_path / "b") == "tiny-2"
    assert weights_library.card("tiny").card.sha256 == before


def test_resume_equals_uninterrupted(config, tmp_path, library):
    train(config, tmp_path / "whole")
    events = []

    def stop_after_four(event):
        events.append(event)
        if isinstance(event, Stepped) and event.step == 4:
            raise KeyboardInterrupt

    interrupted = dataclasses.replace(config, run=dataclasses.replace(config.run, steps=6))
    # A step is told at most five times a second: let every one be told.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.training.loop.REPORT_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            runs.run(interrupted, tmp_path / "cut", stop_after_four)
    assert read_checkpoint(tmp_path / "cut" / LAST)[1]["step"] < 6
    train(interrupted, tmp_path / "cut", resume=True)
    whole, cut = (load_file(tmp_path / name / LAST) for name in ("whole", "cut"))
    assert whole.keys() == cut.keys()
    for key, value in whole.items():
        assert torch.allclose(value, cut[key], rtol=0, atol=1e-6), key


def test_the_same_configuration_gives_the_same_weights(config, tmp_path, library):
    for name in ("a", "b"):
        train(from_values(to_values(config)), tmp_path / name)
    a, b = (load_file(tmp_path / name / BEST) for name in ("a", "b"))
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_stop_keeps_the_best_and_discard_removes_the_run(config, tmp_path, library):
    long = dataclasses.replace(config, run=dataclasses.replace(config.run, steps=10_000, epoch=5000))

    def teller(word):
        def sink(event):
            if isinstance(event, Stepped):
                tell(tmp_path / word, word)

        return sink

    assert runs.run(long, tmp_path / "stop", teller("stop")) == "tiny"
    assert (tmp_path / "stop" / LAST).exists()
    assert runs.run(long, tmp_path / "discard", teller("discard")) is None
    assert not (tmp_path / "discard").exists()


@pytest.mark.parametrize(
    ("weight", "match"),
    [(1e300, r"the loss is (inf|nan) at step \d+ .* mse"), (1e36, r"the gradient's norm is (inf|nan) at step \d+ .* mse")],
)
def test_what_is_not_finite_stops_with_the_cause(config, tmp_path, library, weight, match):
    wild = dataclasses.replace(
        config,
        optimiser=dataclasses.replace(config.optimiser, learning_rate=1.0, clip=0.0, warm_up=0, batch=1),
        losses={"mse": weight},
    )
    with pytest.raises(InputError, match=match) as caught:
        train(wild, tmp_path / "wild")
    assert "learning_rate" in caught.value.hint
    tensors, _ = read_checkpoint(tmp_path / "wild" / LAST)
    assert all(torch.isfinite(value.double()).all() for value in tensors.values())


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path):
    with pytest.raises(InputError, match=r"nothing to resume .*expected last\.safetensors"):
        runs.check_resume(tmp_path)
    with pytest.raises(FormatError, match="is not the folder of a run"):
        runs.read_run(tmp_path)


def test_a_new_run_does_not_overwrite_one(config, tmp_path, library):
    short = dataclasses.replace(config, run=dataclasses.replace(config.run, steps=2, epoch=2))
    train(short, tmp_path / "run")
    with pytest.raises(InputError, match=r"there is a run in .* already"):
        train(short, tmp_path / "run")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kill_at_any_moment_leaves_a_readable_checkpoint(config, tmp_path, library):
    """Writing is what a kill can hurt: a process that does nothing but write is killed at twenty random moments."""
    state = set_up(config, tmp_path / "run", nobody)
    save_checkpoint(state)
    save_best(state)
    rng = np.random.default_rng(0)
    furthest = 0
    for _ in range(20):
        child = os.fork()
        if child == 0:
            while True:
                state.step += 1
                save_checkpoint(state)
                save_best(state)
        time.sleep(float(rng.uniform(0.005, 0.06)))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        tensors, about = read_checkpoint(tmp_path / "run" / LAST)
        assert all(torch.isfinite(value.double()).all() for value in tensors.values())
        read_checkpoint(tmp_path / "run" / BEST)
        furthest = max(furthest, about["step"])
    assert furthest > 0


@pytest.mark.slow
def test_two_processes_equal_one(config, tmp_path, library):
    train(config, tmp_path / "one")
    values = to_values(config)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    program = tmp_path / "ddp.py"
    program.write_text(
        "import json, sys\nfrom pathlib import Path\nimport torch\nfrom engine.training import run\n"
        "from engine.training.config import from_values\n"
        "torch.set_num_threads(1)\n"
        "run.run(from_values(json.loads(Path(sys.argv[1]).read_text())), Path(sys.argv[2]), lambda event: None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(program), str(path),
         str(tmp_path / "two")],
        capture_output=True, text=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[:2000]
    one, two = (load_file(tmp_path / name / LAST) for name in ("one", "two"))
    for key, value in one.items():
        assert torch.allclose(value, two[key], rtol=1e-4, atol=1e-5), key


def test_batch_must_be_dealt_out_evenly(config, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(InputError, match=r"optimiser\.batch = 2 cannot be dealt out to 3 processes"):
        train(config, tmp_path / "run")


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step", "poly", "wsd"])
def test_learning_rate_rises_and_falls(config, schedule):
    part = dataclasses.replace(config.optimiser, schedule=schedule, warm_up=10, decay_steps=40, decay=0.5, lowest=0.1)
    rates = [learning_rate(part, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(part.learning_rate / 10)
    assert max(rates) == pytest.approx(part.learning_rate)
    assert all(a >= b - 1e-15 for a, b in itertools.pairwise(rates[10:]))
    expected = {"constant": 1.0, "cosine": 0.1, "step": 0.25, "poly": 0.1 + 0.9 * (1 / 90) ** 0.5, "wsd": 0.1}[schedule]
    assert rates[-1] == pytest.approx(part.learning_rate * expected, rel=0.02)


def test_a_longer_run_of_wsd_goes_the_same_way_until_the_shorter_one_falls(config):
    part = dataclasses.replace(config.optimiser, schedule="wsd", warm_up=10, decay=0.25, lowest=0.0)
    short, long = ([learning_rate(part, step, steps) for step in range(steps)] for steps in (100, 400))
    assert short[:75] == long[:75]
    assert short[76] < long[76] == part.learning_rate == long[300]
    assert short[87] == pytest.approx(part.learning_rate / 2, rel=0.1)


def test_a_run_that_is_on_cannot_be_resumed(config, tmp_path, library):
    short = dataclasses.replace(config, run=dataclasses.replace(config.run, steps=2, epoch=2))
    train(short, tmp_path / "run")
    (tmp_path / "run" / runs.PROCESS).write_text(str(os.getppid()))
    with pytest.raises(InputError, match=r"the run in .* is still on") as caught:
        train(short, tmp_path / "run", resume=True)
    assert runs.PROCESS in caught.value.hint


def test_what_holds_no_run_is_left_out_of_the_list(config, tmp_path, library):
    short = dataclasses.replace(config, run=dataclasses.replace(config.run, steps=2, epoch=2))
    train(short, runs.new_folder("good"))
    for name, content in (("empty", None), ("damaged", b"x"), ("strange", b"{}")):
        (runs.runs_folder() / name).mkdir()
        if content:
            (runs.runs_folder() / name / LAST).write_bytes(content)
    (runs.runs_folder() / "file").write_text("x")
    assert [info.name for info in runs.runs()] == ["tiny"]
    (runs.runs_folder() / "strange" / "config.json").write_text("[1]")
    with pytest.raises(FormatError, match="holds no table"):
        runs.read_run(runs.runs_folder() / "strange")
