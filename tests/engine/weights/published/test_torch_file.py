"""Reading PyTorch's checkpoints: what comes out, and what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.core.errors import FormatError
from engine.weights.published.torch_file import read_sections, read_state, turned, without_prefix

STATE = {
    "a.weight": torch.arange(6.0).reshape(2, 3),
    "a.bias": torch.tensor(0.5, dtype=torch.float64),
    "half": torch.tensor([1.5, 2.5], dtype=torch.bfloat16),
    "count": torch.tensor(7),
    "phase": torch.tensor([1 + 2j]),
}


class Evil:
    """Would run code when unpickled."""

    def __reduce__(self):
        return (print, ("run",))


def check(found):
    assert found.keys() == STATE.keys()
    assert np.array_equal(found["a.weight"], np.arange(6, dtype=np.float32).reshape(2, 3))
    assert found["a.weight"].dtype == found["a.bias"].dtype == found["half"].dtype == np.float32
    assert found["a.bias"].shape == ()
    assert found["half"].tolist() == [1.5, 2.5]
    assert found["count"].dtype == np.int64
    assert found["phase"].tolist() == [1 + 2j]


@pytest.mark.parametrize("section", [None, "state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_is_found_in_a_checkpoint(tmp_path, section, zipped):
    path = tmp_path / "model.pt"
    value = STATE if section is None else {section: STATE, "epoch": 3, "optimizer": {"lr": 1e-3}, "name": "x"}
    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    check(read_state(path))


def test_safetensors_are_read(tmp_path):
    save_file(STATE, tmp_path / "model.safetensors")
    check(read_state(tmp_path / "model.safetensors"))


def test_views_and_transposed_tensors_come_out_whole(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    torch.save({"t": base.T, "row": base[1], "parameter": torch.nn.Parameter(base)}, tmp_path / "m.pth")
    found = read_state(tmp_path / "m.pth")
    assert np.array_equal(found["t"], base.numpy().T)
    assert found["t"].flags.c_contiguous
    assert np.array_equal(found["row"], [4, 5, 6, 7])
    assert np.array_equal(found["parameter"], base)


def test_several_networks_in_one_file(tmp_path):
    torch.save({"model": {"a": torch.ones(1)}, "maps": {"b": torch.zeros(2)}, "optimizer": {}}, tmp_path / "m.pt")
    found = read_sections(tmp_path / "m.pt", "model", "maps", "other")
    assert found.keys() == {"model", "maps"}
    assert found["maps"]["b"].shape == (2,)
    torch.save({"a": torch.ones(1)}, tmp_path / "flat.pt")
    assert read_sections(tmp_path / "flat.pt", "model", "maps")["model"].keys() == {"a"}
    save_file({"a": torch.ones(1)}, tmp_path / "flat.safetensors")
    assert read_sections(tmp_path / "flat.safetensors", "model", "maps").keys() == {"model"}


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, zipped, capsys):
    path = tmp_path / "evil.pt"
    torch.save({"state_dict": STATE, "extra": Evil()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(FormatError, match=r"evil\.pt holds more than tensors .*pickle that names code") as caught:
        read_state(path)
    assert "runs no code" in caught.value.hint
    assert "print" in caught.value.message
    assert capsys.readouterr().out == ""


def test_a_whole_module_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(FormatError, match=r"module\.pt holds more than tensors"):
        read_state(tmp_path / "module.pt")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
def test_a_file_cut_short_is_damaged(tmp_path, zipped, share):
    path = tmp_path / "cut.pt"
    torch.save({"w": torch.arange(1000.0), "v": torch.ones(300)}, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(FormatError, match=r"cut\.pt") as caught:
        read_state(path)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not a checkpoint", "is not an undamaged PyTorch checkpoint"),
        (b"hello world", "first bytes are those of another format"),
        (b"c", "is not an undamaged PyTorch checkpoint"),
        (b"\x89PNG\r\n\x1a\n", "is not an undamaged PyTorch checkpoint"),
        (b"PK\x03\x04 nonsense", "is not an undamaged PyTorch checkpoint"),
        (b"\x80\x02}q\x00.", "is not an undamaged PyTorch checkpoint"),
        (pickle.dumps({"a": np.ones(3)}, protocol=4), "a pickle that PyTorch did not write .* found protocol 4"),
        (pickle.dumps({"a": print}, protocol=2), "a pickle that names code"),
    ],
)
def test_other_files_are_refused_for_what_they_are(tmp_path, content, words):
    path = tmp_path / "other.pt"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"other\.pt .*{words}") as caught:
        read_state(path)
    assert caught.value.hint
    assert ("names code" in caught.value.message) == (words == "a pickle that names code")


def test_a_damaged_safetensors_file_is_refused(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{nonsense}")
    with pytest.raises(FormatError, match=r"bad\.safetensors is not an undamaged safetensors file"):
        read_state(tmp_path / "bad.safetensors")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"gone\.pt is not there"):
        read_state(tmp_path / "gone.pt")


@pytest.mark.parametrize("value", [[torch.ones(2)], {"lr": 1e-3}, {"state_dict": {"epoch": 3}}, torch.ones(2)])
def test_a_file_without_a_network_is_refused(tmp_path, value):
    torch.save(value, tmp_path / "empty.pt")
    with pytest.raises(FormatError, match=r"empty\.pt holds no network"):
        read_state(tmp_path / "empty.pt")


def test_a_prefix_goes_when_all_keys_have_it():
    assert without_prefix({"module.a": 1, "module.b": 2}, "net.", "module.") == {"a": 1, "b": 2}
    assert without_prefix({"module.a": 1, "b": 2}, "module.") == {"module.a": 1, "b": 2}
    assert without_prefix({}, "module.") == {}


def test_kernels_are_turned_and_nothing_else():
    kernel = np.arange(2 * 3 * 5 * 5, dtype=np.float32).reshape(2, 3, 5, 5)
    assert turned(kernel)[1, 2, 0, 4] == kernel[1, 2, 4, 0]
    assert turned(kernel).flags.c_contiguous
    matrix = np.arange(6.0).reshape(2, 3)
    assert turned(matrix) is matrix


@pytest.mark.parametrize(
    ("tensor", "found"),
    [
        (torch.eye(3).to_sparse(), "sparse_coo"),
        (torch.empty(2, device="meta"), "no values"),
    ],
)
def test_tensors_that_are_no_plain_arrays_are_refused_by_name(tmp_path, tensor, found):
    torch.save({"a.weight": torch.ones(2), "odd": tensor}, tmp_path / "x.pt")
    with pytest.raises(FormatError, match=f"odd in x.pt is no plain array .*{found}") as caught:
        read_state(tmp_path / "x.pt")
    assert caught.value.hint


def test_conjugates_that_were_not_carried_out_come_out_conjugated(tmp_path):
    torch.save(
        {"phase": torch.tensor([1 + 2j]).conj(), "double": torch.tensor([3 - 4j], dtype=torch.complex128)}, tmp_path / "x.pt"
    )
    found = read_state(tmp_path / "x.pt")
    assert found["phase"].tolist() == [1 - 2j]
    assert found["double"].dtype == np.complex64
