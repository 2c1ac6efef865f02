"""The mapping network: sizes, golden vectors through the importer, its signal model, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.core import places
from engine.core.errors import InputError, ShapeError
from engine.models.parts.mapping import MAPPING, PRESETS, MappingConfig, MappingNetwork
from engine.reconstruction import weights
from engine.weights import library
from engine.weights.published.relax_qmri import read, read_mapping
from engine.weights.published.unet_names import unet_names
from tests.engine.models.unet_golden import recorded, turned
from tests.engine.tensors import relative


@pytest.mark.parametrize(("preset", "parameters"), [("paper", 6_464_771), ("t2", 6_436_866)])
def test_the_papers_networks_have_their_parameters(preset, parameters):
    assert MAPPING.parameters(preset) == parameters
    assert next(iter(PRESETS)) == "paper"
    assert MAPPING.parameters("small") < 200_000


@pytest.mark.shared
@pytest.mark.parametrize("quantity", ["T1", "T2"])
def test_the_authors_network_gives_the_recorded_maps(shared, quantity):
    folder = shared / "golden" / f"relax-mapping-{quantity.lower()}"
    vectors = recorded(folder)
    published = read(folder / "weights.safetensors")
    assert published.network == MAPPING.name
    assert dict(published.config) == {"quantity": quantity, "samples": 9 if quantity == "T1" else 3, "filters": 16, "pools": 1}
    assert read_mapping(folder / "weights.safetensors").tensors.keys() == published.tensors.keys()
    network = MappingNetwork(MappingConfig(**published.config))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in published.tensors.items()})
    images = vectors["magnitude_images"].permute(2, 1, 0)[None].contiguous()
    with torch.no_grad():
        maps = network(vectors["times_s"], images)
        signal, time = network.signal(maps, vectors["times_s"]), network.relaxation_time(maps)
    assert relative(maps[0], turned(vectors["parameter_maps"])) < 1e-5
    assert relative(signal[0], turned(vectors["predicted_signal"])) < 1e-5
    assert relative(time[0], turned(vectors["relaxation_map_s"])) < 1e-5


def test_signals_follow_equations_11_and_12():
    t = torch.tensor([[0.1, 0.3, 2.0], [0.2, 0.5, 3.0]], dtype=torch.float64)
    amplitude, k, star = 2.0, 1.8, 0.9
    maps = torch.tensor([amplitude, k, star], dtype=torch.float64)[None, :, None, None].expand(2, 3, 1, 1)
    network = MappingNetwork(MappingConfig(samples=3, filters=2))
    b = k * amplitude
    expected = np.abs(amplitude - b * np.exp(-t.numpy() / star))
    assert network.signal(maps, t)[..., 0, 0].numpy() == pytest.approx(expected, rel=1e-12)
    assert float(network.relaxation_time(maps)[0, 0, 0]) == pytest.approx((b / amplitude - 1) * star)
    network = MappingNetwork(MappingConfig(quantity="T2", samples=3, filters=2))
    maps = torch.tensor([2.0, 0.045], dtype=torch.float64)[None, :, None, None]
    assert network.signal(maps, t[0])[0, :, 0, 0].numpy() == pytest.approx(2.0 * np.exp(-t[0].numpy() / 0.045), rel=1e-12)
    assert float(network.relaxation_time(maps)[0, 0, 0]) == 0.045


@pytest.mark.parametrize("quantity", ["T1", "T2"])
def test_maps_are_positive_and_of_any_size(quantity):
    torch.manual_seed(0)
    network = MappingNetwork(MappingConfig(quantity=quantity, samples=4, filters=4))
    maps = network(torch.linspace(0.0, 3.0, 4), torch.rand(2, 4, 13, 10))
    assert maps.shape == (2, 3 if quantity == "T1" else 2, 13, 10)
    assert (maps > 0).all()
    if quantity == "T1":
        assert (maps[:, 1] >= 1).all()


def test_a_vanishing_time_still_has_a_gradient():
    network = MappingNetwork(MappingConfig(samples=3, filters=2))
    with torch.no_grad():
        network.unet.output.bias[2] = -200.0  # softplus is 0 in single precision
    times = torch.tensor([0.0, 0.1, 1.0])
    maps = network(times, torch.rand(1, 3, 8, 8))
    signal = network.signal(maps, times)
    assert torch.isfinite(signal).all()
    signal.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_it_learns_from_the_signal_model_alone():
    """Eq. (10): maps of a phantom of two materials from its images, no map ever shown."""
    torch.manual_seed(0)
    times = torch.tensor([0.1, 0.2, 0.4, 0.8, 1.6, 3.2])
    t1 = torch.where(torch.arange(24)[:, None] < 12, 0.5, 1.2).expand(24, 24)
    images = (1 - 2 * torch.exp(-times[:, None, None] / t1)).abs()[None]
    network = MappingNetwork(MappingConfig(samples=6, filters=8))
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(120):
        loss = (network.signal(network(times, images), times) - images).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]
    with torch.no_grad():
        found = network.relaxation_time(network(times, images))[0]
    assert float(found[:10].median()) == pytest.approx(0.5, rel=0.15)
    assert float(found[14:].median()) == pytest.approx(1.2, rel=0.15)


@pytest.mark.parametrize(("images", "times"), [((1, 4, 8, 8), 9), ((1, 9, 8, 8), 4), ((9, 8, 8), 9)])
def test_another_number_of_images_is_refused(images, times):
    network = MappingNetwork(MappingConfig(filters=2))
    with pytest.raises(ShapeError, match="the mapping network was built for another number of images") as caught:
        network(torch.ones(times), torch.ones(images))
    assert caught.value.hint


def test_settings_out_of_range_are_refused():
    with pytest.raises(InputError, match="maps T1 or T2") as caught:
        MappingConfig(quantity="T3")
    assert caught.value.hint
    with pytest.raises(InputError, match="sizes of the mapping network are out of range") as caught:
        MappingConfig(filters=0)
    assert caught.value.hint


def test_its_weights_are_imported_kept_and_loaded_like_those_of_methods(tmp_path, monkeypatch):
    monkeypatch.setenv(places.WEIGHTS_VARIABLE, str(tmp_path / "library"))
    monkeypatch.setattr(library, "bundled_folder", lambda: tmp_path / "bundled")
    g = torch.Generator().manual_seed(0)
    theirs = {name: torch.randn(shape, generator=g) for _, name, shape in unet_names("", "", 18, 3, 4, 1)}
    torch.save({"model": theirs, "epoch": 200}, tmp_path / "t1.model")
    identifier = weights.import_weights(tmp_path / "t1.model", "relax-qmri")
    module, card = weights.load(MAPPING.name, identifier)
    assert isinstance(module, MappingNetwork)
    assert card["network"] == MAPPING.name
    assert card["config"]["quantity"] == "T1"
    assert torch.equal(module.unet.output.bias, theirs["up_conv.0.1.bias"])
