"""Bad data is told in clear words before the first step; what can be left out is left out and listed."""

from __future__ import annotations

import dataclasses
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.core.errors import DeviceMemoryError, EngineError, InputError, OutputError
from engine.core.records.events import Skipped
from engine.core.types import Acquisition, ArrayReader, Kind, KSpaceSeries, SamplingMask
from engine.datasets.acquisition import Scene
from engine.datasets.examples import make_example
from engine.datasets.masks import Masks
from engine.io.myoscope_h5 import write_kspace
from engine.models import MODELS
from engine.physics.fourier import fft2c
from engine.training import run as runs
from engine.training.checks import check
from engine.training.config import from_values
from engine.training.data import open_data
from engine.training.run import _memory_hint
from engine.training.setup import set_up
from engine.training.state import save_best, save_checkpoint
from engine.training.steps import cascade_weights
from tests.engine.training.conftest import disc_series, nobody


def opened(values, events=None):
    config = from_values(values)
    spec, network_config = check(config)
    return open_data(config, spec, nobody if events is None else events.append, network_config)


def undersampled(path, subjects=1):
    """Write k-space that was never fully sampled: every third line, others in each frame, and eight in the centre."""
    for seed in range(subjects):
        lines = np.zeros((5, 32, 1), dtype=bool)
        lines[:, 12:20] = True
        for frame in range(5):
            lines[frame, (frame + seed) % 3 :: 3] = True
        image = torch.from_numpy(disc_series(seed)).to(torch.complex64)
        kspace = (fft2c(image[:, None]) * torch.from_numpy(lines)[:, None]).numpy()

        acquired = SamplingMask(lines, "measured", 3.0, acs=(12, 20))
        series = KSpaceSeries(ArrayReader(kspace[None]), Kind.CINE, acquisition=Acquisition((acquired,)))
        write_kspace(path / f"under{seed}.h5", series)


def test_an_empty_folder(values, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    values["data"]["sources"] = [{"location": str(empty)}]
    with pytest.raises(InputError, match=r"nothing to train on in .*empty .*found no files"):
        opened(values)


def test_a_folder_of_rubbish_names_what_it_found(values, tmp_path):
    (tmp_path / "data" / "more").mkdir()
    for file in (tmp_path / "data").glob("*.npy"):
        file.write_bytes(b"no array")
    with pytest.raises(InputError, match=r"nothing to train on in .*subject0\.npy: "):
        opened(values)


def test_one_unreadable_file_among_many_is_skipped_and_listed(values, folder):
    (folder / "broken.npy").write_bytes(b"no array")
    events = []
    stream, validation = opened(values, events)
    assert [type(event) for event in events] == [Skipped]
    assert events[0].file.endswith("broken.npy")
    assert events[0].reason
    assert stream[0].target is not None
    assert len(validation) == 1


def test_frames_of_different_sizes_are_trained_together(values, folder):
    np.save(folder / "larger.npy", disc_series(9, frames=7, size=(40, 36))[None])
    values["data"] |= {"columns": 0, "augmentation": {"probability": 0.0}, "validation_share": 0.3}
    stream, _ = opened(values)
    shapes = {tuple(stream[3 * n].full.shape[-2:]) for n in range(6)}
    assert len(shapes) > 1


def test_a_network_for_nine_frames_skips_other_series(values, folder):
    np.save(folder / "nine.npy", disc_series(9, frames=9)[None])
    np.save(folder / "nine2.npy", disc_series(10, frames=9)[None])
    values["model"] = {"network": "gla_varnet", "preset": "frames-9"}
    values["data"]["acquisition"]["frames"] = [9, 9]
    events = []
    stream, _ = opened(values, events)
    assert sorted(event.reason for event in events) == ["5 frames (expected 9)"] * 3
    assert stream[0].kspace.shape[1] == 9
    (folder / "nine.npy").unlink()
    (folder / "nine2.npy").unlink()
    with pytest.raises(InputError, match=r"has no series that the network can take \(expected 9 frames / found 5\)"):
        opened(values)


def test_never_fully_sampled_data_offer_self_supervision(values, tmp_path):
    folder = tmp_path / "under"
    folder.mkdir()
    undersampled(folder, 2)
    values["data"]["sources"] = [{"location": str(folder)}]
    with pytest.raises(InputError, match=r"was never fully sampled, and data\.mode = supervised needs the truth") as caught:
        opened(values)
    assert 'data.mode = "self"' in caught.value.hint
    assert "kspace_l1_l2" in caught.value.hint
    values["data"]["mode"] = "self"
    values["losses"] = {"kspace_l1_l2": 1.0}
    stream, _ = opened(values)
    example = stream[0]
    assert example.target is None
    # It keeps its own mask, and its own centre.
    assert example.mask.float().mean() == pytest.approx(float(example.measured.float().mean()))
    assert example.acs == 8


def test_one_subject_cannot_be_split(values, folder):
    for number in (1, 2):
        (folder / f"subject{number}.npy").unlink()
    with pytest.raises(InputError, match=r"nothing is left for validation \(expected several subjects or data\.validation"):
        opened(values)
    values["data"]["validation_share"] = 0.0
    values["data"]["validation"] = values["data"]["sources"]
    values["data"]["sources"][0]["weight"] = 0.0
    with pytest.raises(InputError, match="nothing is left to train on"):
        opened(values)


def test_validation_may_not_be_trained_on(values, folder):
    values["data"]["validation"] = [{"location": str(folder / "subject1.npy"), "axes": "sfyx", "kind": "cine"}]
    with pytest.raises(InputError, match=r"slice 0 of .*subject1\.npy is in data\.sources and in data\.validation"):
        opened(values)
    values["data"]["sources"] = [
        {"location": str(folder / f"subject{number}.npy"), "axes": "sfyx", "kind": "cine"} for number in (0, 2)
    ]
    _, validation = opened(values)
    assert {example.subject for example in validation} == {str(folder / "subject1.npy")}


def test_series_of_another_kind(values, folder):
    values["data"]["sources"][0]["kind"] = "molli"
    values["data"]["sources"][0] |= {"kind": "molli"}
    values["model"] = {"network": "cinenet", "preset": "small"}
    with pytest.raises(EngineError, match=r"holds molli, model\.network = cinenet is made for cine"):
        opened(values)


def test_a_slice_that_is_not_there(values):
    values["data"]["sources"] = [{"location": "sample:porcine_cine", "slices": [99]}]
    with pytest.raises(InputError, match=r"has no slice 99 \(expected 0 to 5\)"):
        opened(values)


def test_a_full_disk_is_told_before_the_first_step(config, tmp_path, library, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda *_: SimpleNamespace(free=1000))
    with pytest.raises(OutputError, match=r"is too full for the run's checkpoints \(expected \d+ MiB / found 0 MiB free\)"):
        set_up(config, tmp_path / "run", nobody)
    assert not (tmp_path / "run").exists()


def test_a_disk_that_fills_up_later_leaves_the_last_checkpoint(config, tmp_path, library, monkeypatch):
    state = set_up(config, tmp_path / "run", nobody)
    save_checkpoint(state)
    save_best(state)
    before = (tmp_path / "run" / "last.safetensors").read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.training.state.save_file", full)
    with pytest.raises(OutputError, match="the disk is full"):
        save_checkpoint(state)
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == before


def test_a_folder_that_cannot_be_made(config, tmp_path, library):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="it is a file"):
        set_up(config, tmp_path / "file" / "run", nobody)


def test_memory_that_runs_out_says_what_to_change(config, tmp_path, library):
    state = set_up(config, tmp_path / "run", nobody)
    with pytest.raises(DeviceMemoryError, match=r"ran out of memory during training Myonet") as caught, _memory_hint(state):
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert "run.checkpointing = true" in caught.value.hint
    assert 'run.precision = "bfloat16"' in caught.value.hint


def test_crops_of_air_are_drawn_again():
    """The object fills an eighth of the columns: of all places for a crop, most would show noise alone."""
    rng = np.random.default_rng(0)
    images = torch.from_numpy(0.01 * rng.standard_normal((2, 3, 48, 128, 2)).astype(np.float32))
    images = torch.view_as_complex(images)
    images[..., 56:72] += 1.0
    scene = Scene(images, Kind.CINE, "x")
    masks = Masks(("equispaced",), (2.0, 2.0), (12, 12))
    crops = [make_example(scene, masks, 24, np.random.default_rng(seed)) for seed in range(40)]
    seen = sum(float(crop.full.abs().square().mean()) > 0.01 for crop in crops)
    assert seen >= 34  # 15 without


def test_a_crop_is_the_same_columns_of_the_whole_problem():
    images = torch.from_numpy(disc_series(3)).to(torch.complex64)
    scene = Scene(images[:, None] * torch.ones(1, 2, 1, 1), Kind.CINE, "disc")
    masks = Masks(("equispaced",), (2.0, 2.0), (8, 8))
    # The same draws: the mask comes first, then where the crop is.
    whole = make_example(scene, masks, None, np.random.default_rng(5))
    part = make_example(scene, masks, 12, np.random.default_rng(5))
    start = next(n for n in range(17) if torch.equal(whole.target[..., n : n + 12], part.target))
    assert torch.equal(whole.maps[..., start : start + 12], part.maps)
    expected = fft2c((images[:, None] * torch.ones(1, 2, 1, 1))[..., start : start + 12])
    assert torch.allclose(part.full[0], expected, atol=1e-6)


def test_weights_of_cascades():
    assert cascade_weights(4, "all") == [0.25] * 4
    assert cascade_weights(3, "log") == pytest.approx([0.1, 0.1**0.5, 1.0])
    assert cascade_weights(1, "log") == [1.0]


def test_the_spec_of_every_network_can_be_asked_for_its_frames():
    for _, spec in MODELS.items():
        for preset in spec.presets.values():
            assert spec.frames_of(preset) is None or spec.frames_of(preset) > 0


def test_phantoms_have_the_frames_that_a_network_wants(values):
    values["model"] = {"network": "vn_unet", "preset": "small"}
    values["data"] |= {"sources": [{"location": "phantom:molli"}], "columns": 0}
    stream, validation = opened(values)
    assert stream[0].kspace.shape[1] == validation[0].kspace.shape[1] == 9
    values["model"]["preset"] = "small-t2"
    values["data"]["sources"] = [{"location": "phantom:t2prep"}]
    assert opened(values)[0][0].kspace.shape[1] == 3
    values["model"]["preset"] = "small"
    with pytest.raises(InputError, match=r"phantom:t2prep has 3 images, the network is built for 9"):
        opened(values)


def test_a_run_is_known_and_can_be_removed(config, tmp_path, library):
    short = dataclasses.replace(config, run=dataclasses.replace(config.run, steps=2, epoch=2))
    folder = runs.new_folder("tiny")
    runs.run(short, folder, nobody)
    (record,) = runs.runs()
    assert record.folder == str(folder)
    assert (record.state, record.ended, record.weights, record.step) == ("ended", "steps", "tiny", 2)
    assert runs.new_folder("tiny") != folder
    (folder / "process").write_text("1")
    assert runs.runs()[0].state == "running"
    with pytest.raises(InputError, match="is still on"):
        runs.remove_run(folder)
    (folder / "process").write_text("999999999")
    runs.remove_run(folder)
    assert runs.runs() == []
