"""The command line as a person types it: the whole way, and every kind of bad input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from engine.cli import main

pytestmark = pytest.mark.slow  # whole commands, file to file


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    """Return a small fully sampled cine made by the command itself."""
    path = tmp_path_factory.mktemp("cine") / "c.h5"
    assert main(["phantom", "cine", "--out", str(path), "--matrix", "96x80", "--coils", "6", "--frames", "6"]) == 0
    return path


def run(capsys, *words):
    """Run a command; return exit code, stdout, stderr."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    out = capsys.readouterr()
    return code, out.out, out.err


def psnr(capsys, estimate, reference, region="whole"):
    code, out, _ = run(capsys, "evaluate", estimate, reference, "--json", "--region", region)
    assert code == 0
    return next(s["value"] for s in json.loads(out) if s["metric"] == "psnr" and s["slice"] == "all")


def test_the_documented_way_works_as_typed(tmp_path):
    """The issue's own three commands, at their own size, in a fresh process each."""

    def typed(words):
        return subprocess.run(
            [sys.executable, "-m", "engine", *words.split()], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    typed("phantom cine --out c.h5")
    values = {}
    for method in ("zero_filled", "cg_sense", "l1_wavelet"):
        typed(f"reconstruct c.h5 --method {method} --mask equispaced -R 4 --acs 24 --out r.h5")
        scores = json.loads(typed("evaluate r.h5 c.h5 --json"))
        values[method] = next(s["value"] for s in scores if s["metric"] == "psnr" and s["slice"] == "all")
    assert values["cg_sense"] >= values["zero_filled"] + 4
    assert values["l1_wavelet"] > values["cg_sense"]


def test_info_tells_axes_and_sampling(phantom, capsys):
    code, out, _ = run(capsys, "info", phantom, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["axes"] == {"slice": 1, "frame": 6, "coil": 6, "ky": 96, "kx": 80}
    assert found["kind"] == "cine"
    assert found["fully_sampled"] is True
    assert set(found) >= {"kind", "axes", "times_ms", "fully_sampled", "acceleration", "voxel_mm", "unknown", "format"}


def test_reconstruction_file_opens_without_our_code(phantom, tmp_path, capsys):
    out = tmp_path / "r.h5"
    words = ("--method", "cg_sense", "--mask", "equispaced", "-R", "4", "--acs", "16", "--frames", "1:4", "--out", out)
    code, _, _ = run(capsys, "reconstruct", phantom, *words)
    assert code == 0
    with h5py.File(out) as file:
        assert file["image"].shape == (1, 3, 96, 80)
        assert file["image"].dtype == np.complex64
        assert file["reference"].shape == (1, 3, 96, 80)
        assert file["mask"].shape == (1, 96, 1)
        record = json.loads(file.attrs["provenance"])
    assert record["mask"]["nominal_acceleration"] == 4
    assert record["mask"]["effective_acceleration"] == pytest.approx(96 / (24 + 16 - 4))
    assert record["normalisation"]["undone"] is True
    assert record["use"] == "research use only"
    assert {"software", "command", "device", "seconds", "peak_memory_mib", "weights"} <= set(record)


def test_scale_of_the_data_is_kept(phantom, tmp_path, capsys):
    """A full mask gives the reference back, on the data's own scale."""
    out = tmp_path / "r.h5"
    assert run(capsys, "reconstruct", phantom, "--method", "cg_sense", "--out", out)[0] == 0
    with h5py.File(out) as file:
        error = np.abs(file["image"][()] - file["reference"][()]).max() / np.abs(file["reference"][()]).max()
    assert error < 0.02


def test_mask_from_file_is_the_mask(phantom, tmp_path, capsys):
    lines = np.zeros((96, 80), dtype=bool)
    lines[::3] = True
    lines[40:56] = True
    np.savez(tmp_path / "mask.npz", mask=lines)
    out = tmp_path / "r.h5"
    words = ("--method", "zero_filled", "--mask-file", tmp_path / "mask.npz", "--out", out)
    assert run(capsys, "reconstruct", phantom, *words)[0] == 0
    with h5py.File(out) as file:
        assert json.loads(file.attrs["provenance"])["mask"]["effective_acceleration"] == pytest.approx(96 / lines[:, 0].sum())


def test_mask_of_frames_and_lines_from_file(phantom, tmp_path, capsys):
    lines = np.random.default_rng(3).random((6, 96)) < 0.4
    lines[:, 40:56] = True
    np.save(tmp_path / "lines.npy", lines)
    out = tmp_path / "r.h5"
    code, _, err = run(
        capsys, "reconstruct", phantom, "--method", "zero_filled", "--mask-file", tmp_path / "lines.npy", "--out", out
    )
    assert code == 0, err
    with h5py.File(out) as file:
        np.testing.assert_array_equal(file["mask"][()].astype(bool), lines[..., None])


def test_regions_and_csv(phantom, tmp_path, capsys):
    out = tmp_path / "r.h5"
    run(capsys, "reconstruct", phantom, "--method", "zero_filled", "--mask", "equispaced", "-R", "6", "--acs", "12", "--out", out)
    whole, dynamic, static = (psnr(capsys, out, phantom, region) for region in ("whole", "dynamic", "static"))
    assert len({round(v, 3) for v in (whole, dynamic, static)}) == 3
    code, _, _ = run(capsys, "evaluate", out, phantom, "--csv", tmp_path / "s.csv", "--metrics", "psnr,hfen")
    assert code == 0
    assert (tmp_path / "s.csv").read_text().startswith("metric,value,unit,region,slice,data_range,n_pixels,protocol")


def test_simulate_says_simulated_coils(tmp_path, capsys):
    yy, xx = np.mgrid[-1:1:48j, -1:1:40j]
    images = np.stack([np.exp(-(xx**2 + yy**2) * (3 + t)) for t in range(4)])
    np.savez(tmp_path / "images.npz", images=images.astype(np.float32))
    out = tmp_path / "k.h5"
    code, text, _ = run(
        capsys, "simulate", tmp_path / "images.npz", "--axes", "fyx", "--kind", "cine", "--coils", "4", "--out", out
    )
    assert code == 0
    assert "simulated coils" in text
    code, text, _ = run(capsys, "info", out, "--json")
    assert json.loads(text)["axes"] == {"slice": 1, "frame": 4, "coil": 4, "ky": 48, "kx": 40}


@pytest.mark.parametrize(
    "command", ["models cg_sense", "masks", "metrics", "formats", "doctor", "weights list", "weights sources", "bench --list"]
)
def test_listings_are_json(command, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("MYOSCOPE_WEIGHTS", str(tmp_path))
    code, out, _ = run(capsys, *command.split(), "--json")
    assert code == 0
    assert isinstance(json.loads(out), (list, dict))
    code, out, _ = run(capsys, *command.split())
    assert code == 0
    assert len(out.splitlines()) >= 1
    assert not out.startswith(("[", "{"))


def test_models_json_shape(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("MYOSCOPE_WEIGHTS", str(tmp_path))
    names = {line.split()[0] for line in run(capsys, "models")[1].splitlines()[1:-1]}
    assert {"zero_filled", "cg_sense", "grappa", "l1_wavelet", "low_rank_sparse", "jotlasnet"} <= names
    jotlas, classical = json.loads(run(capsys, "models", "jotlasnet", "cg_sense", "--json")[1])
    assert (classical["name"], classical["trainable"]) == ("cg_sense", False)
    assert jotlas["trainable"] is True
    assert jotlas["presets"]["paper"]["parameters"] == 708_075
    assert jotlas["presets"]["paper"]["macs"] == pytest.approx(138.0e9, rel=0.01)
    assert jotlas["presets"]["paper"]["macs_shape"] == "12x10x128x128"
    assert jotlas["presets"]["paper"]["paper_macs"] is None
    assert 50 < jotlas["presets"]["paper"]["memory_mib"] < 500
    assert jotlas["sources"] == ["jotlasnet-tf"]
    assert set(jotlas) >= {"name", "title", "paper", "kinds", "presets", "weights", "trainable"}


# --- bad input: two lines, exit 2, nothing written -------------------------------------------------------------------------


def bad_files(folder):
    """Write one file of each kind that users bring by mistake."""
    (folder / "text.mat").write_text("this is no MATLAB file")
    (folder / "three.npz").write_bytes(b"")
    np.savez(folder / "three.npz", kspace=np.ones((4, 5, 6), dtype=np.complex64))
    with h5py.File(folder / "wrong_key.h5", "w") as file:
        file["something"] = np.ones((2, 3))


RECONSTRUCT = ("--method", "cg_sense", "--mask", "equispaced", "-R", "4", "--acs", "24", "--out", "OUT")


def words_with(changes):
    words = dict(zip(RECONSTRUCT[::2], RECONSTRUCT[1::2], strict=True)) | changes
    return [w for pair in words.items() for w in pair if w is not None]


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("missing.h5", {}, "does not exist"),
        ("text.mat", {}, "text.mat"),
        ("truncated.h5", {}, "truncated.h5"),
        ("wrong_key.h5", {}, "wrong_key.h5"),
        ("three.npz", {}, "three.npz|axes"),
        ("nan.h5", {}, "NaN"),
        ("c.h5", {"-R": "0"}, "R = 0 is not possible"),
        ("c.h5", {"-R": "nan"}, "not possible"),
        ("c.h5", {"--acs": "200"}, "200 ACS lines do not fit"),
        ("c.h5", {"--method": "cg_sence"}, "unknown method 'cg_sence'"),
        ("c.h5", {"--method": "CG-SENSE"}, "unknown method 'CG-SENSE'"),
        ("c.h5", {"--mask": "equispacd"}, "unknown mask pattern 'equispacd'"),
        ("c.h5", {"--slices": "3"}, "slices '3' does not exist"),
        ("c.h5", {"--frames": "a"}, "frames 'a' cannot be read"),
        ("c.h5", {"--device": "tpu"}, "device"),
        ("c.h5", {"--weights": "x"}, "takes no weights"),
        ("c.h5", {"--option": "iteration=3"}, "has no option 'iteration'"),
        ("c.h5", {"--method": "ista_net"}, "weights"),
        ("c.h5", {"--method": "jotlasnet", "--weights": "other.safetensors"}, "other.safetensors|weights"),
        ("c.h5", {"--out": "no/such/folder/r.h5"}, "does not exist"),
        ("c.h5", {"--out": "c.h5"}, "input file itself"),
        ("images.npz", {}, "holds images"),
    ],
)
def test_bad_input_gives_two_lines_and_writes_nothing(file, changes, message, phantom, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYOSCOPE_WEIGHTS", str(tmp_path / "weights"))
    bad_files(tmp_path)
    shutil.copy(phantom, "c.h5")
    (tmp_path / "truncated.h5").write_bytes(phantom.read_bytes()[:4000])
    shutil.copy(phantom, "nan.h5")
    with h5py.File("nan.h5", "r+") as broken:
        broken["kspace"][0, 0, 0, 3, 3] = np.nan
    np.savez("images.npz", images=np.ones((1, 4, 96, 80), dtype=np.float32))
    import safetensors.numpy

    safetensors.numpy.save_file({"some.weight": np.ones(3, dtype=np.float32)}, "other.safetensors")
    before = sorted(os.listdir()), (tmp_path / "c.h5").read_bytes()
    words = words_with({"--out": "r.h5"} | changes)
    reading = ["--axes", "sfyx"] if file == "images.npz" else []
    code, out, err = run(capsys, "reconstruct", file, *words, *reading)
    assert code == 2
    assert out == ""
    lines = err.strip().splitlines()
    assert len(lines) == 2, err
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("hint: ")
    assert len(lines[1]) > 12
    assert any(part in lines[0] for part in message.split("|")), lines[0]
    assert (sorted(os.listdir()), (tmp_path / "c.h5").read_bytes()) == before


def test_mask_of_another_shape(phantom, tmp_path, capsys):
    np.savez(tmp_path / "m.npz", mask=np.ones((50, 60), dtype=bool))
    words = ("--method", "zero_filled", "--mask-file", tmp_path / "m.npz", "--out", tmp_path / "r.h5")
    code, _, err = run(capsys, "reconstruct", phantom, *words)
    assert code == 2
    assert "does not fit the data" in err
    assert not (tmp_path / "r.h5").exists()


def test_unknown_method_names_the_nearest(phantom, tmp_path, capsys):
    for word in ("cg_sence", "CG-SENSE"):
        _, _, err = run(capsys, "reconstruct", phantom, "--method", word, "--out", tmp_path / "r.h5")
        assert "Did you mean cg_sense" in err


def test_errors_as_json(capsys):
    code, _, err = run(capsys, "info", "missing.h5", "--json")
    assert code == 2
    assert set(json.loads(err)) == {"error", "hint"}


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_disk_full(phantom, tmp_path, capsys, monkeypatch):
    """The write fails as on a full disk; the old file stays."""
    import errno

    out = tmp_path / "r.h5"
    out.write_bytes(b"old result")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    code, _, err = run(capsys, "reconstruct", phantom, "--method", "zero_filled", "--out", out)
    assert code == 2
    assert "the disk is full" in err
    assert out.read_bytes() == b"old result"
    assert os.listdir(tmp_path) == ["r.h5"]


def test_wrong_options_say_so(capsys):
    code, _, err = run(capsys, "reconstruct", "x.h5")
    assert code == 2
    assert "--method" in err
    code, _, err = run(capsys, "frobnicate")
    assert code == 2
    assert len(err.strip().splitlines()) == 2


def test_cancel_ends_with_130(phantom, tmp_path, capsys, monkeypatch):
    import engine.cli.commands as command_line

    original = command_line.CancelToken

    def already():
        token = original()
        token.cancel()
        return token

    monkeypatch.setattr(command_line, "CancelToken", already)
    code, _, err = run(capsys, "reconstruct", phantom, "--method", "cg_sense", "--out", tmp_path / "r.h5")
    assert code == 130
    assert err.startswith("error: cancelled")
    assert not (tmp_path / "r.h5").exists()


# --- what an option says is done or refused, never ignored ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--mask", "pseudo_radial", "-R", "4"), "pseudo_radial takes no -R"),
        (("--mask", "vista", "--acs", "8"), "vista takes no --acs"),
        (("--mask", "full", "-R", "0"), "full takes no -R"),
        (("--seed", "3"), "need --mask PATTERN"),
        (("--key", "kspac"), "has no array 'kspac'"),
        (("--axes", "fsc"), "tells its axes itself"),
        (("--out", "/dev/null"), "not a regular file"),
        (("--out", "x" * 300), "the name is too long"),
    ],
)
def test_options_that_cannot_be_obeyed_are_refused(words, message, phantom, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "reconstruct", phantom, "--method", "zero_filled", "--out", "r.h5", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 2
    assert os.listdir() == []


@pytest.mark.parametrize(("option", "value"), [("--scheme", "5(3)3"), ("--echo-times", "0,35"), ("--ordering", "linear")])
def test_a_cine_takes_no_option_of_mapping(option, value, tmp_path, capsys):
    code, _, err = run(capsys, "phantom", "cine", "--out", tmp_path / "c.h5", option, value)
    assert code == 2
    assert f"a cine takes no {option}" in err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--percentile", "80"), "region whole takes no --percentile"),
        (("--axes", "fyx"), "both files tell their axes themselves"),
        (("--key", "image"), "both files tell their axes themselves"),
    ],
)
def test_options_that_mean_nothing_to_a_score_are_refused(words, message, phantom, tmp_path, capsys):
    made = tmp_path / "r.h5"
    run(capsys, "reconstruct", phantom, "--method", "zero_filled", "--mask", "random", "-R", "2", "--out", made)
    code, out, err = run(capsys, "evaluate", made, phantom, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 2


def test_the_percentile_changes_the_dynamic_region(phantom, tmp_path, capsys):
    made = tmp_path / "r.h5"
    run(capsys, "reconstruct", phantom, "--method", "zero_filled", "--mask", "random", "-R", "2", "--out", made)
    sizes = []
    for words in ((), ("--percentile", "90"), ("--percentile", "80")):
        scores = json.loads(run(capsys, "evaluate", made, phantom, "--region", "dynamic", "--json", *words)[1])
        sizes.append(scores[0]["n_pixels"])
    assert sizes[0] == sizes[1]
    assert sizes[2] > 1.5 * sizes[0]


def test_no_command_overwrites_what_it_reads(phantom, tmp_path, capsys):
    images = tmp_path / "i.npy"
    np.save(images, np.ones((4, 48, 40), dtype=np.float32))
    code, _, err = run(capsys, "simulate", images, "--axes", "fyx", "--out", images)
    assert (code, "input file itself" in err) == (2, True)
    made = tmp_path / "r.h5"
    run(capsys, "reconstruct", phantom, "--method", "zero_filled", "--out", made)
    for victim in (made, phantom):
        before = victim.read_bytes()
        code, _, err = run(capsys, "evaluate", made, phantom, "--csv", victim)
        assert (code, "input file itself" in err) == (2, True)
        assert victim.read_bytes() == before
    code, _, err = run(capsys, "evaluate", made, phantom, "--metrics", ",")
    assert (code, "no metrics were named" in err) == (2, True)


def test_scores_name_the_slices_of_the_series(tmp_path, capsys):
    words = ("--matrix", "48x40", "--coils", "3", "--frames", "3", "--slices", "3")
    source, made = tmp_path / "c.h5", tmp_path / "r.h5"
    assert run(capsys, "phantom", "cine", "--out", source, *words)[0] == 0
    run(capsys, "reconstruct", source, "--method", "zero_filled", "--mask", "random", "-R", "2", "--slices", "2,0", "--out", made)
    scores = json.loads(run(capsys, "evaluate", made, source, "--metrics", "nmse", "--json")[1])
    assert [score["slice"] for score in scores] == [2, 0, "all"]
    # Each is the score of that slice alone.
    run(capsys, "reconstruct", source, "--method", "zero_filled", "--mask", "random", "-R", "2", "--slices", "2", "--out", made)
    alone = json.loads(run(capsys, "evaluate", made, source, "--metrics", "nmse", "--json")[1])
    assert alone[0]["value"] == pytest.approx(scores[0]["value"])


def test_reconstructions_are_compared_slice_by_slice(tmp_path, capsys):
    words = ("--matrix", "48x40", "--coils", "3", "--frames", "3", "--slices", "3")
    source = tmp_path / "c.h5"
    run(capsys, "phantom", "cine", "--out", source, *words)
    for name, slices in (("all", "0:3"), ("some", "2,0"), ("one", "1")):
        run(capsys, "reconstruct", source, "--method", "zero_filled", "--slices", slices, "--out", tmp_path / f"{name}.h5")
    code, out, _ = run(capsys, "evaluate", tmp_path / "some.h5", tmp_path / "all.h5", "--metrics", "nmse", "--json")
    assert code == 0
    assert max(score["value"] for score in json.loads(out)) < 1e-9
    code, _, err = run(capsys, "evaluate", tmp_path / "one.h5", tmp_path / "some.h5")
    assert code == 2
    assert "has no slice 1 of the series (expected 1 / found 2, 0)" in err


def test_damaged_weights_are_listed_and_are_an_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MYOSCOPE_WEIGHTS", str(tmp_path))
    assert run(capsys, "weights", "verify")[0] == 0
    (tmp_path / "broken.json").write_text("{}")
    code, out, err = run(capsys, "weights", "verify", "--json")
    assert (code, json.loads(out)["broken"]) == (2, False)
    assert f"1 of {len(json.loads(out))} weights are damaged" in json.loads(err)["error"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are not text")
def test_names_that_are_not_text_are_shown_escaped(phantom, tmp_path):
    shutil.copy(phantom, os.fsencode(tmp_path) + b"/heart \xff.h5")
    words = [sys.executable, "-m", "engine", "info", os.fsencode(tmp_path) + b"/heart \xff.h5"]
    job = subprocess.run(words, capture_output=True, check=False)
    assert (job.returncode, job.stderr) == (0, b"")
    assert b"heart \\udcff" in job.stdout


def test_plain_arrays_are_scored_with_their_axes_told(phantom, tmp_path, capsys):
    made, plain = tmp_path / "r.h5", tmp_path / "i.npz"
    run(capsys, "reconstruct", phantom, "--method", "zero_filled", "--out", made)
    with h5py.File(made) as file:
        np.savez(plain, a=np.abs(file["reference"][0]), b=np.zeros((6, 96, 80)))
    code, out, _ = run(capsys, "evaluate", made, plain, "--axes", "fyx", "--key", "a", "--metrics", "psnr", "--json")
    assert code == 0
    assert json.loads(out)[0]["value"] > 100


def test_a_bar_fits_the_terminal_and_leaves_its_line_to_an_error(phantom, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    words = ("reconstruct", phantom, "--method", "cg_sense", "--out", tmp_path / "r.h5")
    code, _, err = run(capsys, *words)
    assert code == 0
    assert err.endswith("\n")
    assert max(len(line) for line in err.strip("\n").split("\r")) == 59
    code, _, err = run(capsys, *words, "--option", "iterations=many")
    assert code == 2
    assert [line[:6] for line in err.splitlines()[-2:]] == ["error:", "hint: "]


@pytest.mark.skipif(sys.platform == "win32", reason="file sizes are limited by POSIX")
def test_a_write_that_fails_half_way_leaves_the_old_file(phantom, tmp_path):
    """The system itself refuses to let the file grow, as a full disk or a quota does."""
    import resource

    out = tmp_path / "r.h5"
    out.write_bytes(b"old result")
    words = ["reconstruct", str(phantom), "--method", "zero_filled", "--out", str(out)]
    job = subprocess.run(
        [sys.executable, "-m", "engine", *words],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert job.returncode == 2
    error, hint = job.stderr.splitlines()
    assert error == f"error: cannot write {out}: the file is larger than may be written here"
    assert hint.startswith("hint: ")
    assert out.read_bytes() == b"old result"
    assert os.listdir(tmp_path) == ["r.h5"]


def test_interrupting_before_the_commands_are_loaded(capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "engine.cli.commands", raising=False)

    class Interrupts:
        @staticmethod
        def find_spec(name, *_):
            if name == "engine.cli.commands":
                raise KeyboardInterrupt

    monkeypatch.setattr(sys, "meta_path", [Interrupts, *sys.meta_path])
    assert main(["models"]) == 130
    assert capsys.readouterr().err.splitlines()[0] == "error: cancelled"


def test_an_interrupt_that_a_destructor_swallowed_is_asked_for_again(capsys, monkeypatch):
    import engine.cli.commands as command_line

    class Swallows:
        def __del__(self):
            raise KeyboardInterrupt

    def listing(*_, **__):
        Swallows()
        for _ in range(10_000):
            time.sleep(0.001)
        raise AssertionError("not interrupted")

    monkeypatch.setattr(command_line.CancelToken, "cancelled", True)  # the second interrupt, then
    monkeypatch.setattr("engine.api.methods", listing)
    hook = sys.unraisablehook
    assert main(["models"]) == 130
    assert capsys.readouterr().err == "error: cancelled\nhint: Nothing was written.\n"
    assert sys.unraisablehook is hook


@pytest.mark.skipif(sys.platform == "win32", reason="Windows delivers Ctrl+C to the whole console")
@pytest.mark.parametrize("seconds", [0.05, 0.3, 1.5])
def test_interrupting_leaves_nothing(seconds, tmp_path):
    """Ctrl+C while our modules are loaded, while libraries are, and while the work is done."""
    np.save(tmp_path / "i.npy", np.ones((12, 30, 192, 192), dtype=np.float32))
    words = ["simulate", "i.npy", "--axes", "sfyx", "--coils", "30", "--out", "k.h5"]
    # The interpreter itself has started: Ctrl+C before that is none of ours.
    # A job in the background of a script inherits that Ctrl+C is ignored; ours is in the foreground.
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from engine.cli import main; print('here', flush=True); sys.exit(main(sys.argv[1:]))"
    job = subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert job.stdout.readline() == "here\n"
    time.sleep(seconds)
    job.send_signal(signal.SIGINT)
    _, err = job.communicate(timeout=30)
    assert job.returncode == 130
    assert err.startswith("error: cancelled")
    assert os.listdir(tmp_path) == ["i.npy"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_standard_output_may_be_full_or_closed(phantom):
    command = [sys.executable, "-m", "engine", "info", str(phantom)]
    with Path("/dev/full").open("w") as full:
        job = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert job.returncode == 2
    assert job.stderr.splitlines()[0] == "error: cannot write the result to standard output: the disk is full"
    assert len(job.stderr.splitlines()) == 2
    reader, writer = os.pipe()
    os.close(reader)
    job = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (job.returncode, job.stderr) == (0, "")


def test_a_folder_is_listed_and_its_one_series_opened(phantom, tmp_path, capsys):
    (tmp_path / "scan").mkdir()
    (tmp_path / "scan" / "notes.txt").write_text("hello")
    code, out, _ = run(capsys, "list", tmp_path)
    assert code == 0
    assert "1 other file of no format that can be read" in out
    made = tmp_path / "scan" / "k.h5"
    made.write_bytes(Path(phantom).read_bytes())
    found = json.loads(run(capsys, "list", tmp_path, "--json")[1])
    assert [(Path(one["path"]).name, one["format"], one["content"], bool(one["problem"])) for one in found] == [
        ("k.h5", "myoscope_h5", "kspace", False),
        ("notes.txt", "", "unknown", True),
    ]
    assert found[0]["axes"] == json.loads(run(capsys, "info", phantom, "--json")[1])["axes"]
    assert "scan/k.h5" in run(capsys, "list", tmp_path)[1]
    assert json.loads(run(capsys, "info", tmp_path, "--json")[1])["name"] == "k"
    (tmp_path / "other.h5").write_bytes(made.read_bytes())
    code, _, err = run(capsys, "info", tmp_path)
    assert code == 2
    assert "holds several series (found other.h5, scan/k.h5)" in err
    assert "myoscope list" in err


def test_formats_say_what_they_read_and_write(capsys):
    found = {one["name"]: one for one in json.loads(run(capsys, "formats", "--json")[1])}
    assert found["myoscope_h5"]["writes"] == ["kspace", "reconstruction"]
    assert found["nifti"]["writes"] == ["maps"]
    assert found["npz"]["writes"] == []
    assert all(one["reads"] for one in found.values())
    assert all({"name", "title", "suffixes"} <= set(one) for one in found.values())
    assert "kspace, reconstruction" in run(capsys, "formats")[1]
