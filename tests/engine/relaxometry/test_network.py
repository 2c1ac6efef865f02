"""The mapping network as an estimator: the recorded network's numbers, and what is said when its weights do not fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine import api
from engine.core.errors import CheckpointMismatch, InputError
from engine.core.maps import FitRequest, Reason
from engine.models.parts.mapping import MappingConfig, MappingNetwork
from engine.relaxometry.fit import fit_maps
from engine.weights import library
from engine.weights.published.relax_qmri import read
from tests.engine.relaxometry.problems import SCHEMES, decay, recovery

TIMES = SCHEMES["4(1)3(1)2"]


class Ideal(torch.nn.Module):
    """Stands for a network that knows the answer: a U-Net of no use, and maps put in its place."""

    def __init__(self, quantity, maps, samples):
        super().__init__()
        self.config = MappingConfig(quantity=quantity, samples=samples, filters=1)
        self.maps = torch.as_tensor(np.asarray(maps), dtype=torch.float32)
        self.seen = None

    def forward(self, times_s, magnitudes, check):
        check()
        self.seen = times_s, magnitudes
        maps = self.maps.clone()
        maps[0] *= magnitudes.max()
        return maps[None]


def loader(module, rule="image_max"):
    return lambda name, weights, device: (module.to(device), {"normalisation": rule, "name": name, "weights": weights})


def test_maps_come_back_in_ms_and_in_units_of_the_images(rng):
    t1, k = rng.uniform(0.4, 1.8, (5, 4)), rng.uniform(1.6, 2.4, (5, 4))
    images = 70.0 * np.abs(recovery(1e-3 * TIMES, t1, k))[None]
    peak = images.max()
    module = Ideal("T1", [np.full((5, 4), 70.0 / peak), k, t1 / (k - 1)], 9)
    maps = fit_maps(images.astype(np.float32), FitRequest("mapping_t1", weights="w"), times_ms=TIMES, load=loader(module))
    times, seen = module.seen
    assert np.allclose(times, 1e-3 * TIMES)  # seconds
    assert float(seen.max()) == pytest.approx(1.0, rel=1e-5)
    assert np.allclose(maps.main.values[0], 1e3 * t1, rtol=1e-4)
    assert np.allclose(maps.maps["t1_star_ms"].values[0], 1e3 * t1 / (k - 1), rtol=1e-4)
    assert np.allclose(maps.maps["a"].values, 70.0, rtol=1e-4)
    assert np.allclose(maps.maps["b"].values[0], 70.0 * k, rtol=1e-4)
    assert maps.r2.min() > 0.9999
    assert np.array_equal(maps.polarity[0], (recovery(1e-3 * TIMES, t1, k) < 0).sum(0))
    assert maps.main.sd is None
    assert any("not fitted" in note for note in maps.notes)
    assert maps.provenance["fit"]["weights"] == "w"


def test_t2_and_pixels_without_signal(rng):
    times = np.array([0.0, 35.0, 55.0])
    t2 = rng.uniform(0.03, 0.1, (3, 3))
    images = decay(1e-3 * times, t2)[None].astype(np.float32)
    images[0, :, 0, 0], images[0, 1, 2, 2] = 0.0, np.nan
    module = Ideal("T2", [np.ones((3, 3)), t2], 3)
    maps = fit_maps(images, FitRequest("mapping_t2"), times_ms=times, load=loader(module))
    assert maps.reason[0, 0, 0] == Reason.BACKGROUND
    assert maps.reason[0, 2, 2] == Reason.NOT_FINITE
    assert maps.valid.sum() == 7
    assert np.allclose(maps.main.values[0][maps.valid[0]], 1e3 * t2[maps.valid[0]], rtol=1e-4)
    nothing = fit_maps(np.zeros_like(images), FitRequest("mapping_t2"), times_ms=times, load=loader(module))
    assert not nothing.valid.any()


def test_weights_that_do_not_fit_are_refused():
    images = np.ones((1, 9, 4, 4), np.float32)
    t2 = MappingNetwork(MappingConfig(quantity="T2", samples=3, filters=2))
    few = MappingNetwork(MappingConfig(samples=8, filters=2))
    for module, message in ((t2, "found one for T2 of 3"), (few, "found one for T1 of 8")):
        with pytest.raises(CheckpointMismatch, match=message):
            fit_maps(images, FitRequest("mapping_t1"), times_ms=TIMES, load=loader(module))


def test_missing_weights_are_said(monkeypatch, tmp_path):
    monkeypatch.setenv("MYOSCOPE_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(library, "bundled_folder", lambda: tmp_path / "none")
    with pytest.raises(InputError, match="mapping_network needs weights"):
        api.fit_maps(np.ones((1, 9, 4, 4), np.float32), FitRequest("mapping_t1"), times_ms=TIMES)
    with pytest.raises(InputError, match="mapping_t1 needs weights"):
        fit_maps(np.ones((1, 9, 4, 4), np.float32), FitRequest("mapping_t1"), times_ms=TIMES)


@pytest.mark.shared
@pytest.mark.parametrize(("quantity", "samples"), [("T1", 9), ("T2", 3)])
def test_the_authors_network_gives_its_recorded_map(shared, quantity, samples):
    """The published code's own output for random weights, through our importer and our estimator, in ms."""
    folder = shared / "golden" / f"relax-mapping-{quantity.lower()}"
    published = read(folder / "weights.safetensors")
    module = MappingNetwork(MappingConfig(**published.config))
    module.load_state_dict({name: torch.from_numpy(value) for name, value in published.tensors.items()})
    golden = np.load(folder / "io.npz")
    images = np.ascontiguousarray(golden["magnitude_images"].transpose(2, 1, 0)[None], np.float32)
    request = FitRequest(f"mapping_{quantity.lower()}", background=0.0)
    maps = fit_maps(images, request, times_ms=1e3 * golden["times_s"], load=loader(module.eval(), "none"))
    expected = 1e3 * golden["relaxation_map_s"].T
    assert maps.valid.mean() > 0.9
    assert np.allclose(maps.main.values[0][maps.valid[0]], expected[maps.valid[0]], rtol=1e-4)
