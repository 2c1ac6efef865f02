"""DuDoRNet against its authors' program: the dense network by itself, and the recurrence through both domains."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.core.errors import InputError, ShapeError
from engine.models import MODELS, ReconInput
from engine.models.dudornet import DRDN, DuDoRNet, DuDoRNetConfig
from engine.models.parts import frames
from engine.models.parts.forms import plain_forms
from engine.physics.operator import SenseOperator
from tests.engine.models.unrolled import perturbed, problem, with_stages
from tests.engine.tensors import relative

NAMES = (
    (r"SFENet([12])\.", lambda m: f"shallow.{int(m[1]) - 1}."),
    (r"SEDRDBs\.(\d+)\.LFF\.", r"blocks.\1.fusion."),
    (r"SEDRDBs\.(\d+)\.SE\.fc\.0\.", r"blocks.\1.excitation.fc1."),
    (r"SEDRDBs\.(\d+)\.SE\.fc\.2\.", r"blocks.\1.excitation.fc2."),
    (r"SEDRDBs\.(\d+)\.convs\.(\d+)\.conv\.0\.", r"blocks.\1.layers.\2."),
    (r"GFF\.", "fusion."),
    (r"UPNet\.", "output."),
)


def our_state(folder, prefix):
    """Return the part of a fixture's weights under ``prefix``, by our names."""
    state = {}
    for key, value in load_file(folder / "weights.safetensors").items():
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            for pattern, ours in NAMES:
                name = re.sub(rf"^{pattern}", ours, name)
            state[name] = value
    return state


@pytest.mark.parametrize(("preset", "count"), [("paper", 650_628), ("no-prior", 2 * 324_738)])
def test_it_has_as_many_parameters_as_published(preset, count):
    assert MODELS.get("dudornet").parameters(preset) == count


@pytest.mark.shared
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(("kind", "inputs"), [("no_prior", 2), ("prior", 4)])
def test_golden_dense_network(shared, kind, inputs, plain):
    folder = shared / "golden" / "dudornet-drdn"
    stored = np.load(folder / "io.npz")
    network = DRDN(inputs, DuDoRNetConfig(growth=8)).eval()
    network.load_state_dict(our_state(folder, f"{kind}."))
    outputs = []
    for block in network.blocks:
        block.register_forward_hook(lambda *call: outputs.append(call[-1][0]))
    given = torch.from_numpy(stored[f"{kind}_input"])[None]
    with torch.inference_mode():
        if plain:
            with plain_forms():
                found = network(given, lambda: None)
        else:
            found = network(given, lambda: None)
    assert relative(found[0], stored[f"{kind}_output"]) < 2e-5
    for block, expected in zip(outputs, stored[f"{kind}_block_outputs"], strict=True):
        assert relative(block, expected) < 2e-5


@pytest.mark.shared
def test_golden_recurrence(shared):
    folder = shared / "golden" / "dudornet-recurrent"
    stored = np.load(folder / "io.npz")
    network = DuDoRNet(DuDoRNetConfig(recurrences=2, features=16, growth=4, blocks=2, dilations=(1, 2, 3))).eval()
    network.image_network.load_state_dict(our_state(folder, "net_G_I."))
    network.kspace_network.load_state_dict(our_state(folder, "net_G_K."))
    # Their transform sums without a factor.
    kspace = torch.from_numpy(stored["kspace_masked"]) / np.sqrt(22 * 19)
    mask = torch.from_numpy(stored["mask"] > 0).expand(1, 1, 1, 22, 19)
    data, stages = with_stages(
        ReconInput(
            kspace[None, None, None],
            SenseOperator(mask, torch.ones(1, 1, 1, 22, 19, dtype=torch.complex64)),
            reference=torch.from_numpy(stored["prior_image"])[None, None],
        )
    )
    with torch.inference_mode():
        image = network(data)
    assert relative(image[0, 0], stored["output"]) < 2e-5
    for index in range(2):
        assert relative(stages[index, "image_network"][0, 0], stored["image_after_image_net"][index]) < 2e-5
        assert relative(stages[index, "image"][0, 0], stored["image_after_kspace_net"][index]) < 2e-5


def small_network(**settings):
    return perturbed("dudornet", amount=0.1, recurrences=2, features=16, growth=4, blocks=1, dilations=(1, 2), **settings)


def test_frames_do_not_see_each_other_and_chunks_change_nothing(monkeypatch):
    monkeypatch.setattr(frames, "IMAGE_PIXELS", {"cpu": 2 * 9 * 11})
    kspace, mask, maps = problem(batch=1, frames=3)
    network = small_network(prior=False)
    with torch.no_grad():
        together = network(ReconInput(kspace, SenseOperator(mask, maps)))
        for frame in range(3):
            part = slice(frame, frame + 1)
            alone = network(ReconInput(kspace[:, part], SenseOperator(mask[:, part], maps)))
            assert relative(together[:, part], alone) < 1e-10


def test_one_reference_serves_all_frames():
    kspace, mask, maps = problem()
    network = small_network()
    operator = SenseOperator(mask, maps)
    reference = operator.adjoint(kspace).mean(1, keepdim=True)
    with torch.no_grad():
        one = network(ReconInput(kspace, operator, reference=reference))
        each = network(ReconInput(kspace, operator, reference=reference.expand(-1, 3, -1, -1)))
        other = network(ReconInput(kspace, operator, reference=2 * reference))
    assert relative(one, each) < 1e-13
    assert relative(other, one) > 1e-3


def test_a_prior_must_be_given_and_fit():
    kspace, mask, maps = problem()
    with pytest.raises(InputError, match="dudornet needs a reference sequence"):
        small_network()(ReconInput(kspace, SenseOperator(mask, maps)))
    with pytest.raises(ShapeError, match="reference sequence does not fit"):
        small_network()(ReconInput(kspace, SenseOperator(mask, maps), reference=kspace[:, :, 0, :4]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"recurrences": 0}, "recurrences of dudornet is out of range"),
        ({"features": 8}, "features of dudornet is out of range"),
        ({"growth": 0}, "growth of dudornet is out of range"),
        ({"blocks": 0}, "blocks of dudornet is out of range"),
        ({"dilations": ()}, "dilations of dudornet are"),
        ({"dilations": (1, 0)}, "dilations of dudornet are"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        DuDoRNetConfig(**settings)
