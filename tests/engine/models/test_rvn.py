"""RVN: frames as channels, sizes, golden vectors through the importer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.core.errors import InputError, ShapeError
from engine.models import MODELS, ReconInput
from engine.models.parts.forms import plain_forms
from engine.models.rvn import RVN, RVNConfig
from engine.physics.operator import SenseOperator
from engine.weights.published.relax_qmri import read
from tests.engine.models.varnet_problem import Stages, moved, problem
from tests.engine.tensors import relative

TINY = RVNConfig(steps=2, hidden=6, layers=2, initialiser=(4, 4, 5, 5), frames=3)


def test_published_sizes_have_their_parameters():
    spec = MODELS.get("rvn")
    assert next(iter(spec.presets)) == "paper"
    assert spec.parameters("paper") == 2_602_174
    assert spec.parameters("small") < 200_000
    with torch.device("meta"):
        assert sum(p.numel() for p in RVN(RVNConfig(steps=6, hidden=96)).parameters()) == 3_313_650
        assert sum(p.numel() for p in RVN(RVNConfig(maps="network")).sensitivity.parameters()) == 486_194


def test_the_spec_says_how_many_frames_it_takes():
    spec = MODELS.get("rvn")
    assert spec.frames(spec.presets["paper"]) == 9
    assert spec.frames(spec.presets["t2"]) == 3


def test_frames_see_each_other_and_slices_do_not():
    network = moved(RVN(TINY))
    kspace, operator = problem(batch=2, frames=3)
    other = kspace.clone()
    other[0, 2] *= 2
    with torch.no_grad():
        first, second = (network(ReconInput(k, operator)) for k in (kspace, other))
    assert relative(second[0, 0], first[0, 0]) > 1e-3
    assert torch.equal(second[1], first[1])


@pytest.mark.parametrize("kind", ["lines", "lines per frame", "plane per frame"])
def test_fast_and_plain_form_agree(kind):
    network = moved(RVN(TINY))
    kspace, operator = problem(kind=kind)
    with torch.no_grad():
        found = network(ReconInput(kspace, operator))
        with plain_forms():
            assert relative(found, network(ReconInput(kspace, operator))) < 1e-11


def test_stages_have_one_energy_for_all_frames():
    kspace, operator = problem()
    stages = Stages()
    with torch.no_grad():
        image = moved(RVN(TINY))(ReconInput(kspace, operator, stages=stages))
    assert torch.equal(stages[1, "image"], image)
    assert stages[1, "hidden_energy"].shape == (2, 1, 2)


def test_coil_maps_of_the_network_come_from_all_frames_together():
    config = RVNConfig(steps=2, hidden=4, layers=1, initialiser=(4, 4, 4, 4), frames=3, maps="network", maps_filters=2)
    network = moved(RVN(config))
    kspace, operator = problem(height=32, width=24)
    network(ReconInput(kspace, operator, acs=4)).abs().square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in network.sensitivity.parameters())


def test_another_number_of_frames_is_refused():
    kspace, operator = problem(frames=4)
    with pytest.raises(ShapeError, match=r"rvn takes the frames as channels .*expected 3 / found 4") as caught:
        RVN(TINY)(ReconInput(kspace, operator))
    assert "weights for 4 frames" in caught.value.hint


@pytest.mark.parametrize("field", ["steps", "frames"])
def test_sizes_below_one_are_refused(field):
    with pytest.raises(InputError, match=f"{field} of rvn is out of range") as caught:
        RVNConfig(**{field: 0})
    assert caught.value.hint


@pytest.mark.shared
@pytest.mark.parametrize("plain", [False, True])
def test_golden_vectors_come_out(shared, plain):
    folder = shared / "golden" / "relax-rvn-18ch"
    published = read(folder / "weights.safetensors")
    assert published.network == "rvn"
    assert published.config["frames"] == 9
    network = RVN(RVNConfig(**published.config)).eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in published.tensors.items()})
    arrays = {name: torch.from_numpy(value) for name, value in np.load(folder / "io.npz").items()}
    # (coil, kx, ky, frame) -> (batch, frame, coil, ky, kx)
    kspace, maps = (arrays[n].permute(3, 0, 2, 1)[None].contiguous() for n in ("kspace_masked", "sensitivity_maps"))
    operator = SenseOperator(arrays["mask"].bool()[:, None][None, None, None], maps)
    stages = Stages()
    with torch.inference_mode():
        if plain:
            with plain_forms():
                network(ReconInput(kspace, operator, stages=stages))
        else:
            network(ReconInput(kspace, operator, stages=stages))
    for cascade, k in enumerate(arrays["kspace_after_cascade"]):
        full = SenseOperator(torch.ones(1, 1, 1, 21, 1), maps)
        expected = full.adjoint(k.permute(3, 0, 2, 1)[None].contiguous())
        assert relative(stages[cascade, "image"], expected) < 2e-6
