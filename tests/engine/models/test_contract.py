"""What every registered method must hold to, on tiny problems. A new file in engine/models is picked up by itself.

A method serves every case, but those that REFUSALS names; the plain one (several coils, one mask of whole lines with ACS) always.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import load, save

from engine.core.errors import Cancelled, InputError, ShapeError
from engine.core.jobs import CancelToken, Reporter
from engine.core.requests import MaskRequest
from engine.models import MODELS, ReconInput
from engine.models.contract import KINDS
from engine.models.parts import frames
from engine.models.parts.forms import plain_forms
from engine.physics.operator import SenseOperator
from engine.physics.scaling import RULES, find_scale
from engine.sampling import make_mask
from engine.sampling.acs import sampled_centre

ACS = 10
LIGHT = 600_000  # parameters that a test may allocate and run
METHODS = MODELS.names()
NETWORKS = [name for name, spec in MODELS.items() if spec.trainable]
CLASSICAL = [name for name, spec in MODELS.items() if not spec.trainable]


@dataclass(frozen=True)
class Case:
    """Sizes and sampling of one tiny problem."""

    batch: int = 1
    frames: int = 4
    coils: int = 4
    ky: int = 32
    kx: int = 24
    pattern: str = "equispaced"
    per_frame: bool | None = None

    @property
    def name(self):
        return f"{self.batch}x{self.frames}x{self.coils}x{self.ky}x{self.kx} {self.pattern}"


PLAIN = Case()
CASES = [
    PLAIN,
    Case(batch=2, frames=3, coils=3, ky=31, kx=25),
    Case(frames=1, coils=2, ky=24, kx=33),
    Case(frames=5, coils=1, ky=33, kx=24),
    Case(frames=6, coils=3, ky=29, kx=30, pattern="kt_uniform"),
    Case(batch=2, frames=4, coils=2, ky=30, kx=27, pattern="pseudo_radial"),
    Case(pattern="full"),
]


#: What a method may refuse, and in which words: (method, pattern of the case) -> message.
REFUSALS = {("grappa", "pseudo_radial"): "GRAPPA needs a mask of whole lines"}


def fitted(spec, case):
    """Return the case with as many coils and frames as the method can take."""
    frames = spec.frames_of(config_of(spec)) or case.frames
    return dataclasses.replace(case, coils=min(case.coils, spec.max_coils or case.coils), frames=frames)


def smooth(*shape, generator, width=7):
    """Return a complex image without structure finer than ``width`` pixels."""
    rough = torch.randn(*shape, 2, generator=generator).movedim(-1, -3)
    blurred = torch.nn.functional.avg_pool2d(rough.reshape(-1, 1, *shape[-2:]), width, 1, width // 2, count_include_pad=False)
    return torch.view_as_complex(blurred.reshape(rough.shape).movedim(-3, -1).contiguous())


def problem(spec, case, seed=0):
    """Return (scaled k-space, operator, scaled truth, scale) of a case."""
    case = fitted(spec, case)
    g = torch.Generator().manual_seed(seed)
    shape = (case.batch, 1, case.ky, case.kx)
    truth = smooth(*shape, generator=g) + 0.3 * smooth(case.batch, case.frames, case.ky, case.kx, generator=g)
    maps = smooth(case.batch, 1, case.coils, case.ky, case.kx, generator=g, width=15) + 0.1
    maps = maps / maps.abs().square().sum(-3, keepdim=True).sqrt()
    lines = make_mask(MaskRequest(case.pattern, 2.0, acs=ACS, per_frame=case.per_frame), case.frames, case.ky, case.kx).lines
    mask = torch.from_numpy(lines.copy())[None, :, None]
    operator = SenseOperator(mask, maps)
    kspace = operator.forward(truth)
    scale = find_scale(kspace, mask, spec.normalise)
    return scale.normalise(kspace), operator, scale.normalise(truth), scale


def record(spec, kspace, operator, truth, **others):
    times = torch.linspace(100.0, 2000.0, truth.shape[1]).expand(truth.shape[:2])
    others.setdefault("acs", sampled_centre(operator.mask[0, :, 0].cpu().numpy(), ACS))
    return ReconInput(kspace, operator, times_ms=times, reference=truth if spec.needs_reference else None, **others)


def config_of(spec):
    """Return the smallest settings there are by name, otherwise the default ones."""
    return spec.presets.get("tiny") or spec.presets.get("small") or next(iter(spec.presets.values()))


def build(spec, seed=0):
    """Build a method; a network gets every parameter moved a little, so that none sits at a zero that hides others."""
    torch.manual_seed(seed)
    method = spec.build(config_of(spec))
    if spec.trainable:
        method.eval()
        with torch.no_grad():
            for parameter in method.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    return method


def run(spec, case, method=None, **others):
    kspace, operator, truth, _ = problem(spec, case)
    with torch.inference_mode():
        return (method or build(spec))(record(spec, kspace, operator, truth, **others)), truth


def close(found, expected, tolerance):
    return (found - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("name", METHODS)
def test_spec_is_complete(name):
    spec = MODELS.get(name)
    assert spec.name == name
    assert spec.title
    assert spec.paper
    assert spec.presets
    assert set(spec.kinds) <= set(KINDS)
    assert spec.kinds
    assert spec.normalise in RULES
    assert all(note.endswith(".") for note in spec.notes)
    assert dataclasses.is_dataclass(spec.config)
    assert all(isinstance(preset, spec.config) for preset in spec.presets.values())
    for field in dataclasses.fields(spec.config):
        assert field.metadata.get("help"), f"{name}: setting {field.name} has no help"
    assert spec.config.__dataclass_params__.frozen


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("name", METHODS)
def test_output_is_a_finite_complex64_image_of_the_right_shape(name, case):
    spec = MODELS.get(name)
    refusal = REFUSALS.get((name, case.pattern))
    if refusal is not None:
        with pytest.raises(InputError, match=refusal) as caught:
            run(spec, case)
        assert caught.value.hint
        return
    image, truth = run(spec, case)
    assert image.shape == truth.shape
    assert image.dtype == torch.complex64
    assert torch.isfinite(torch.view_as_real(image)).all()
    assert image.abs().max() > 0


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_image(name):
    spec = MODELS.get(name)
    assert close(run(spec, PLAIN)[0], run(spec, PLAIN)[0], 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1e-4, 2e3])
@pytest.mark.parametrize("name", METHODS)
def test_with_its_scaling_rule_the_image_follows_the_scale_of_the_data(name, factor):
    spec = MODELS.get(name)
    kspace, operator, truth, scale = problem(spec, PLAIN)
    raw = scale.restore(kspace)
    again = find_scale(factor * raw, operator.mask, spec.normalise)
    with torch.inference_mode():
        first = scale.restore(build(spec)(record(spec, kspace, operator, truth)))
        second = again.restore(build(spec)(record(spec, again.normalise(factor * raw), operator, truth)))
    # Rounding of the scaled data passes through thresholds, which may fall to the other side.
    assert close(second / factor, first, 1e-3)


@pytest.mark.parametrize("name", METHODS)
def test_progress_is_told_and_cancel_is_heard(name):
    spec = MODELS.get(name)
    heard = []
    run(spec, PLAIN, report=Reporter(heard.append))
    assert heard, f"{name} never reports"
    assert all(0 <= progress.fraction <= 1 for progress in heard)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        run(spec, PLAIN, report=Reporter(None, token))


@pytest.mark.parametrize("name", METHODS)
def test_cancel_is_heard_while_gram_matrices_are_made(name, monkeypatch):
    seen = []
    make = SenseOperator._make_gram

    def watched(self, check):
        seen.append(check)
        return make(self, check)

    monkeypatch.setattr(SenseOperator, "_make_gram", watched)
    run(MODELS.get(name), PLAIN)
    assert None not in seen


@pytest.mark.parametrize("name", METHODS)
def test_input_is_left_as_it_was(name):
    spec = MODELS.get(name)
    kspace, operator, truth, _ = problem(spec, PLAIN)
    before = kspace.clone()
    with torch.inference_mode():
        build(spec)(record(spec, kspace, operator, truth))
    assert torch.equal(kspace, before)


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_methods_return_the_truth_from_full_sampling(name):
    spec = MODELS.get(name)
    image, truth = run(spec, Case(pattern="full"))
    # Magnitudes, because a root sum of squares has no phase; a regularised method may shrink a little.
    error = torch.linalg.vector_norm(image.abs() - truth.abs()) / torch.linalg.vector_norm(truth)
    assert error < 0.05


@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_reaches_every_parameter(name):
    spec = MODELS.get(name)
    network = build(spec)
    network.train()
    kspace, operator, truth, _ = problem(spec, PLAIN)
    image = network(record(spec, kspace, operator, truth))
    (image - truth).abs().square().sum().backward()
    # A network may name parameters that have no effect by construction.
    silent = getattr(network, "without_effect", ())
    for key, parameter in network.named_parameters():
        if not parameter.requires_grad or key in silent:
            continue
        assert parameter.grad is not None, f"{name}: {key} gets no gradient"
        assert torch.isfinite(parameter.grad).all(), f"{name}: gradient of {key} is not finite"
        assert parameter.grad.abs().max() > 0, f"{name}: gradient of {key} is zero"


@pytest.mark.parametrize("name", NETWORKS)
def test_state_survives_a_round_trip_through_a_file(name):
    spec = MODELS.get(name)
    first, second = build(spec, seed=1), build(spec, seed=2)
    image = run(spec, PLAIN, first)[0]
    assert not close(run(spec, PLAIN, second)[0], image, 1e-4), "the weights do not matter"
    second.load_state_dict(load(save(first.state_dict())))
    assert close(run(spec, PLAIN, second)[0], image, 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_are_counted_without_allocating_them(name):
    spec = MODELS.get(name)
    for preset, config in spec.presets.items():
        with torch.device("meta"):
            network = spec.build(config)
        assert spec.parameters(preset) == sum(p.numel() for p in network.parameters() if p.requires_grad) > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_stages_end_with_the_image(name):
    spec = MODELS.get(name)
    stages = {}
    image, _ = run(spec, PLAIN, stages=lambda index, part, value: stages.setdefault(part, {}).__setitem__(index, value))
    assert sorted(stages["image"]) == list(range(len(stages["image"])))
    assert torch.equal(stages["image"][max(stages["image"])], image)
    assert all(value.shape == image.shape for value in stages["image"].values())


def relative(found, expected):
    return float(torch.linalg.vector_norm(found - expected) / torch.linalg.vector_norm(expected))


@pytest.mark.slow
@pytest.mark.parametrize("case", [PLAIN, CASES[4]], ids=lambda case: case.name)
@pytest.mark.parametrize("name", NETWORKS)
def test_fast_forms_give_what_the_plain_ones_and_those_for_training_give(name, case):
    spec = MODELS.get(name)
    network = build(spec)
    image, _ = run(spec, case, network)
    with plain_forms():
        plainly, _ = run(spec, case, network)
    assert close(image, plainly, 1e-4), f"{name}: {relative(image, plainly):.1e} from the plain form"
    kspace, operator, truth, _ = problem(spec, case)
    kept = network(record(spec, kspace, operator, truth))
    assert kept.requires_grad
    assert close(kept.detach(), image, 1e-4), f"{name}: with gradients it is another image"


@pytest.mark.parametrize("name", NETWORKS)
def test_slices_of_a_batch_do_not_see_each_other(name):
    spec = MODELS.get(name)
    network = build(spec)
    kspace, operator, truth, _ = problem(spec, Case(batch=2))
    with torch.inference_mode():
        both = network(record(spec, kspace, operator, truth))
        for index in range(2):
            one = SenseOperator(operator.mask, operator.maps[index : index + 1])
            alone = network(record(spec, kspace[index : index + 1], one, truth[index : index + 1]))
            assert close(both[index : index + 1], alone, 1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_frames_in_pieces_give_the_same_image(name, monkeypatch):
    spec = MODELS.get(name)
    network = build(spec)
    whole, _ = run(spec, PLAIN, network)
    monkeypatch.setattr(frames, "PIXELS_AT_ONCE", {"cpu": 1})
    monkeypatch.setattr(frames, "IMAGE_PIXELS", {"cpu": 1})
    assert close(run(spec, PLAIN, network)[0], whole, 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_half_precision_is_near_and_the_physics_is_not_halved(name):
    spec = MODELS.get(name)
    network = build(spec)
    exact, _ = run(spec, PLAIN, network)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        image, _ = run(spec, PLAIN, network)
    assert image.dtype == torch.complex64
    assert torch.isfinite(torch.view_as_real(image)).all()
    # Random weights, several instance norms after another: trained networks are closer (`myoscope bench models`).
    assert 0 < relative(image, exact) < 0.15, f"{name}: {relative(image, exact):.3f} in bfloat16"


@pytest.mark.parametrize("name", NETWORKS)
def test_every_cascade_can_be_cancelled(name, monkeypatch):
    spec = MODELS.get(name)
    calls, stages = [], []
    report = Reporter()
    monkeypatch.setattr(Reporter, "check", lambda _: calls.append(1))
    run(spec, PLAIN, report=report, stages=lambda *told: stages.append(told[:2]))
    images = [index for index, part in stages if part == "image"]
    assert len(calls) > len(images)


@pytest.mark.parametrize("name", [name for name in NETWORKS if MODELS.get(name).frames_of(config_of(MODELS.get(name)))])
def test_frames_that_are_channels_are_checked(name):
    spec = MODELS.get(name)
    given = spec.frames_of(config_of(spec)) + 1
    monkey = dataclasses.replace(spec, frames=lambda _: given)
    with pytest.raises(ShapeError, match=rf"frames.*found {given}") as caught:
        run(monkey, PLAIN, build(spec))
    assert caught.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_light_preset_runs_whether_it_finds_its_own_coil_maps_or_not(name):
    spec = MODELS.get(name)
    for preset, config in spec.presets.items():
        if config == config_of(spec) or spec.parameters(preset) > LIGHT:
            continue
        torch.manual_seed(0)
        frames = spec.frames_of(config) or 2
        case = dataclasses.replace(PLAIN, frames=frames)
        kspace, operator, truth, _ = problem(dataclasses.replace(spec, frames=lambda _, n=frames: n), case)
        with torch.inference_mode():
            image = spec.build(config).eval()(record(spec, kspace, operator, truth))
        assert image.shape == truth.shape, preset
        assert torch.isfinite(torch.view_as_real(image)).all(), preset


@pytest.mark.cuda
@pytest.mark.parametrize("name", METHODS)
def test_cuda_gives_what_the_cpu_gives(name):
    spec = MODELS.get(name)
    kspace, operator, truth, _ = problem(spec, PLAIN)
    method = build(spec)
    with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
        here = method(record(spec, kspace, operator, truth))
        moved = method.to("cuda") if spec.trainable else method
        there = moved(record(spec, kspace.cuda(), operator.to("cuda"), truth.cuda()))
    assert there.device.type == "cuda"
    assert close(there.cpu(), here, 1e-3)
