"""JotlasNet against a plain transcription of its equations, released weights and their outputs, and a real cine."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from engine.core.errors import Cancelled, InputError
from engine.core.requests import MaskRequest
from engine.models import MODELS, ReconInput
from engine.models.jotlasnet import JotlasNet, JotlasNetConfig
from engine.physics.operator import SenseOperator
from engine.sampling import make_mask
from tests.engine.models.published import as_checkpoint, imported_network
from tests.engine.models.varnet_problem import CancelAt
from tests.engine.tensors import psnr, relative

RELEASED = "golden/released"


def transform(x, inverse=False):
    shifted = torch.fft.ifftshift(x, dim=(-2, -1))
    done = torch.fft.ifft2(shifted, norm="ortho") if inverse else torch.fft.fft2(shifted, norm="ortho")
    return torch.fft.fftshift(done, dim=(-2, -1))


def problem(batch=2, frames=3, coils=3, ky=9, kx=11, dtype=torch.complex128, static=False, readout=False, seed=0):
    g = torch.Generator().manual_seed(seed)
    image = torch.randn(batch, frames, ky, kx, dtype=dtype, generator=g)
    maps = torch.randn(batch, 1, coils, ky, kx, dtype=dtype, generator=g)
    maps = maps / maps.abs().square().sum(-3, keepdim=True).sqrt()
    mask = torch.rand(1, 1 if static else frames, 1, ky, 1 if readout else kx, generator=g) < 0.5
    return mask * transform(maps * image.unsqueeze(-3)), mask, maps


def transcription(state, cells, kspace, mask, maps):
    """Eq. (16) to (18) with the skips, in textbook operations: shifted FFTs, conv3d, SVD, sign and ReLU."""

    def adjoint(k):
        return (maps.conj() * transform(mask * k, inverse=True)).sum(-3)

    def forward(x):
        return mask * transform(maps * x.unsqueeze(-3))

    def split(x):
        return torch.stack((x.real, x.imag), dim=1)

    def join(f):
        return torch.complex(f[:, 0], f[:, 1])

    x = z = adjoint(kspace)
    for n in range(cells):
        p = {k.removeprefix(f"cells.{n}."): v for k, v in state.items() if k.startswith(f"cells.{n}.")}

        def stack(features, name, p=p):
            features = torch.relu(functional.conv3d(features, p[f"{name}.0.weight"], padding=1))
            features = torch.relu(functional.conv3d(features, p[f"{name}.1.weight"], padding=1))
            return functional.conv3d(features, p[f"{name}.2.weight"], padding=1)

        stepped = x - torch.relu(p["step_size"]) * adjoint(forward(x) - kspace)
        omega = p["omega"].exp() / p["omega"].exp().sum()
        u, s, v = torch.linalg.svd(join(stack(split(stepped), "low_rank.transform")), full_matrices=False)
        s = torch.relu(s - torch.sigmoid(p["low_rank.threshold"]) * s[..., :1] / omega[0])
        y1 = join(stack(split(u @ torch.diag_embed(s).to(u.dtype) @ v), "low_rank.inverse_transform")) + stepped
        f = stack(split(stepped), "sparse.transform")
        mean = f.abs().mean((2, 3, 4))
        hidden = torch.relu(mean @ p["sparse.attention.fc1.weight"].T + p["sparse.attention.fc1.bias"])
        gate = torch.sigmoid(hidden @ p["sparse.attention.fc2.weight"].T + p["sparse.attention.fc2.bias"])
        tau = (mean * gate)[..., None, None, None]
        y2 = join(stack(torch.sign(f) * torch.relu(f.abs() - tau / omega[1]), "sparse.inverse_transform")) + stepped
        z_next = omega[0] * y1 + omega[1] * y2
        x, z = z_next + torch.sigmoid(p["momentum"]) * (z_next - z), z_next
    return x


def perturbed(config, seed=1):
    """Return a network in double precision with every parameter away from its start."""
    torch.manual_seed(seed)
    network = JotlasNet(config).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
            parameter.mul_(0.7)
    return network


def test_the_paper_counts_708075_parameters():
    spec = MODELS.get("jotlasnet")
    assert next(iter(spec.presets)) == "paper"
    assert spec.parameters("paper") == 708_075
    assert spec.parameters("small") < 70_000


def test_it_starts_as_the_paper_says():
    cell = JotlasNet(JotlasNetConfig(cells=1)).cells[0]
    assert torch.softmax(cell.omega, 0).tolist() == [0.5, 0.5]
    assert cell.step_size.item() == pytest.approx(0.1)
    assert cell.low_rank.threshold.item() == cell.momentum.item() == -2.0


@pytest.mark.parametrize(
    "case", [{}, {"batch": 1, "frames": 1, "coils": 1, "ky": 8}, {"ky": 12, "kx": 7, "static": True, "readout": True}]
)
def test_it_equals_a_transcription_of_the_equations(case):
    kspace, mask, maps = problem(**case)
    network = perturbed(JotlasNetConfig(cells=3, channels=5))
    with torch.no_grad():
        found = network(ReconInput(kspace, SenseOperator(mask, maps)))
        expected = transcription(network.state_dict(), 3, kspace, mask, maps)
    assert relative(found, expected) < 1e-11


def test_with_gram_matrices_it_is_the_same():
    kspace, mask, maps = problem(static=True, readout=True)
    network = perturbed(JotlasNetConfig(cells=2, channels=4))
    by_gram, by_fft = SenseOperator(mask, maps), SenseOperator(mask, maps, gram_limit_mib=0.0)
    assert by_gram.gram is not None
    assert by_fft.gram is None
    with torch.no_grad():
        assert relative(network(ReconInput(kspace, by_gram)), network(ReconInput(kspace, by_fft))) < 1e-12


def test_stages_hold_the_image_and_both_branches_of_every_cell():
    kspace, mask, maps = problem()
    network = perturbed(JotlasNetConfig(cells=3, channels=4))
    stages = {}
    with torch.no_grad():
        image = network(
            ReconInput(kspace, SenseOperator(mask, maps), stages=lambda i, part, value: stages.__setitem__((i, part), value))
        )
    assert set(stages) == {(i, part) for i in range(3) for part in ("image", "low_rank", "sparse")}
    assert all(value.shape == image.shape for value in stages.values())
    assert torch.equal(stages[2, "image"], image)
    cell = network.cells[0].requires_grad_(False)
    omega = torch.softmax(cell.omega, 0)
    z = omega[0] * stages[0, "low_rank"] + omega[1] * stages[0, "sparse"]
    zero_filled = SenseOperator(mask, maps).adjoint(kspace)
    assert relative(z + torch.sigmoid(cell.momentum) * (z - zero_filled), stages[0, "image"]) < 1e-12


def test_cancel_is_answered_inside_a_cell():
    kspace, mask, maps = problem()
    report = CancelAt(9)
    seen = []
    with pytest.raises(Cancelled), torch.no_grad():
        perturbed(JotlasNetConfig(cells=2, channels=4))(
            ReconInput(kspace, SenseOperator(mask, maps), report=report, stages=lambda *stage: seen.append(stage))
        )
    # One check at the start of the cell, one before each of twelve layers, one before each decomposition.
    assert report.checks == 9
    assert not seen


@pytest.mark.parametrize("field", ["cells", "channels"])
def test_sizes_below_one_are_refused(field):
    with pytest.raises(InputError, match=f"{field} of jotlasnet is out of range") as caught:
        JotlasNetConfig(**{field: 0})
    assert caught.value.hint


def test_a_gradient_step_lowers_the_loss():
    kspace, mask, maps = problem(batch=1, dtype=torch.complex64)
    truth = problem(batch=1, dtype=torch.complex64, seed=5)[0].sum(-3)
    torch.manual_seed(0)
    network = JotlasNet(JotlasNetConfig(cells=2, channels=4))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(4):
        loss = (network(ReconInput(kspace, SenseOperator(mask, maps))) - truth).abs().square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses == sorted(losses, reverse=True)


@pytest.mark.slow
@pytest.mark.shared
def test_released_radial_16_gives_the_recorded_output(shared):
    folder = shared / RELEASED / "jotlasnet-radial-16"
    recorded = {k: torch.from_numpy(v).mT.contiguous() for k, v in np.load(folder / "io.npz").items()}
    operator = SenseOperator(recorded["mask"].bool()[None, :, None], torch.ones(1, 1, 1, 56, 64, dtype=torch.complex64))
    stages = {}
    with torch.inference_mode():
        image = imported_network(folder / "tf")(
            ReconInput(
                recorded["kspace_masked"][None, :, None],
                operator,
                stages=lambda i, part, value: stages.__setitem__((i, part), value),
            )
        )
    assert relative(image[0], recorded["output"]) < 1e-5
    assert relative(stages[0, "image"][0], recorded["image_after_cell_1"]) < 1e-5


@pytest.mark.slow
@pytest.mark.shared
def test_released_vista_8_gives_the_recorded_output(shared, tmp_path):
    folder = shared / RELEASED / "jotlasnet-vista-8"
    given = {k: torch.from_numpy(v) for k, v in np.load(shared / RELEASED / "inputs-multicoil" / "io.npz").items()}
    operator = SenseOperator(given["mask"].bool()[None, :, None, :, None], given["sensitivity_maps"].mT[None, None])
    with torch.inference_mode():
        network = imported_network(as_checkpoint(folder, tmp_path / "JotlasNet-vista-8-1" / "weight-best"))
        image = network(ReconInput(given["kspace_masked"].transpose(0, 1).mT[None].contiguous(), operator))
    assert relative(image[0].mT, torch.from_numpy(np.load(folder / "io.npz")["output"])) < 1e-5


def radial_as_published(frames, size, lines, seed):
    """Diameters at unit steps of the radius, indices cut to whole numbers: the centre lies between samples.

    The published weights have learned this sampling; lines rounded to the nearest index cost them 0.5 to 0.9 dB.
    """
    rng = np.random.default_rng(seed)
    radius = np.arange(-size // 2, size // 2 + 1)[:, None]
    mask = np.zeros((frames, size, size), bool)
    for frame in mask:
        angles = np.pi * (rng.random() + np.arange(lines)) / lines
        y, x = (np.floor(radius * part + size / 2).astype(int) for part in (np.sin(angles), np.cos(angles)))
        inside = (y >= 0) & (y < size) & (x >= 0) & (x < size)
        frame[y[inside], x[inside]] = True
    return mask


@pytest.fixture(scope="module")
def porcine(shared):
    """Porcine cine, slice 10, frames 0 to 15, the 128 x 128 pixels around (124, 124), divided by their maximum."""
    stack = np.load(shared / "data" / "pig-cine-sax-ep" / "sax_stack_uint16_z20_t20_256x256.npz")["images"]
    image = stack[10, :16, 60:188, 60:188].astype(np.float32)
    return torch.from_numpy(image / image.max()).to(torch.complex64)[None]


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize(("sampler", "lowest"), [("published", 36.6), ("pseudo_radial", 36.0)])
def test_released_radial_16_lifts_the_porcine_cine_from_25_to_37_db(shared, porcine, sampler, lowest):
    # config.json of the fixture: 25.02 -> 36.96 dB with 16 lines drawn by its authors' sampler.
    # Measured: 24.92 -> 37.12 with lines drawn their way; 24.74 -> 36.66 with our own pattern, whose lines are one sample thin.
    if sampler == "published":
        lines = radial_as_published(16, 128, 16, seed=5)
    else:
        lines = make_mask(MaskRequest("pseudo_radial", seed=1), 16, 128, 128).lines.copy()
    mask = torch.from_numpy(lines)[None, :, None]
    operator = SenseOperator(mask, torch.ones(1, 1, 1, 128, 128, dtype=torch.complex64))
    kspace = mask * transform(porcine).unsqueeze(-3)
    with torch.inference_mode():
        zero_filled = operator.adjoint(kspace)
        image = imported_network(shared / RELEASED / "jotlasnet-radial-16" / "tf")(ReconInput(kspace, operator))
    assert psnr(zero_filled, porcine) == pytest.approx(25.02, abs=0.5)
    assert lowest < psnr(image, porcine) < 37.8
