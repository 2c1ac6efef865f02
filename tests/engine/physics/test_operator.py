"""The SENSE operator against its definition, its adjoint, its Gram form and exact solves; in double precision."""

from itertools import product

import pytest
import torch

from engine.core.errors import Cancelled, InputError, ShapeError
from engine.physics.coils import combine, expand
from engine.physics.fourier import fft2c, ifft2c
from engine.physics.operator import SenseOperator, crop_readout
from tests.engine.tensors import random

SHAPES = [(1, 3, 2, 9, 7), (2, 4, 3, 8, 11), (1, 1, 1, 6, 5)]
MASKS = ["static lines", "lines per frame", "lines per batch and frame", "lines given as plane", "static plane", "plane per frame"]


def make_mask(kind, batch, frames, height, width):
    shape = {
        "static lines": (1, 1, 1, height, 1),
        "lines per frame": (1, frames, 1, height, 1),
        "lines per batch and frame": (batch, frames, 1, height, 1),
        "lines given as plane": (1, frames, 1, height, 1),
        "static plane": (1, 1, 1, height, width),
        "plane per frame": (1, frames, 1, height, width),
    }[kind]
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(3)) < 0.5
    return mask.expand(-1, -1, -1, -1, width) if kind == "lines given as plane" else mask


CASES = [(s, m, f) for s, m, f in product(SHAPES, MASKS, [False, True]) if not (f and s[1] == 1)]


@pytest.fixture(params=CASES, ids=lambda c: f"{c[0]}-{c[1]}-{'maps per frame' if c[2] else 'one set of maps'}")
def case(request):
    (batch, frames, coils, height, width), kind, per_frame = request.param
    maps = random(1, frames if per_frame else 1, coils, height, width, seed=1)
    mask = make_mask(kind, batch, frames, height, width)
    return SenseOperator(mask, maps), random(batch, frames, height, width), random(batch, frames, coils, height, width, seed=2)


def test_forward_and_adjoint_are_the_definition(case):
    operator, image, kspace = case
    expected = operator.mask * fft2c(expand(image, operator.maps))
    torch.testing.assert_close(operator.forward(image), expected, rtol=0, atol=1e-12)
    expected = combine(ifft2c(operator.mask * kspace), operator.maps)
    torch.testing.assert_close(operator.adjoint(kspace), expected, rtol=0, atol=1e-12)


def test_adjoint_identity(case):
    operator, image, kspace = case
    left = torch.vdot(operator.forward(image).flatten(), kspace.flatten())
    right = torch.vdot(image.flatten(), operator.adjoint(kspace).flatten())
    assert abs(left - right) <= 1e-12 * max(abs(left), 1e-3)


def test_normal_is_adjoint_of_forward_in_every_form(case):
    operator, image, _ = case
    expected = operator.adjoint(operator.forward(image))
    torch.testing.assert_close(operator.normal(image), expected, rtol=0, atol=1e-12 * float(expected.abs().max()))
    torch.testing.assert_close(operator.normal_by_fft(image), expected, rtol=0, atol=1e-12 * float(expected.abs().max()))


def test_solve_solves(case):
    operator, image, _ = case
    x = operator.solve(image, 0.3, iterations=300, tolerance=1e-13)
    back = operator.adjoint(operator.forward(x)) + 0.3 * x
    torch.testing.assert_close(back, image, rtol=0, atol=1e-9)


def test_unit_single_coil_with_any_mask_is_solved_exactly():
    phase = torch.polar(torch.ones(1, 1, 1, 7, 9, dtype=torch.float64), random(1, 1, 1, 7, 9, seed=5).real)
    mask = make_mask("plane per frame", 1, 3, 7, 9)
    operator = SenseOperator(mask, phase)
    assert operator.gram is None
    rhs = random(2, 3, 7, 9)
    x = operator.solve(rhs, 0.01)
    torch.testing.assert_close(operator.normal(x) + 0.01 * x, rhs, rtol=0, atol=1e-12)


def test_full_mask_and_unit_maps_return_the_image():
    maps = random(1, 1, 3, 8, 9)
    maps = maps / torch.linalg.vector_norm(maps, dim=-3, keepdim=True)
    operator = SenseOperator(torch.ones(1, 1, 1, 8, 1, dtype=torch.bool), maps)
    image = random(1, 2, 8, 9)
    torch.testing.assert_close(operator.adjoint(operator.forward(image)), image, rtol=0, atol=1e-12)
    torch.testing.assert_close(operator.solve(image, 1.0), image / 2, rtol=0, atol=1e-12)


def test_real_weights_count_squared_in_the_normal_operator():
    maps, weights = random(1, 1, 2, 6, 5), torch.rand(1, 1, 1, 6, 1, generator=torch.Generator().manual_seed(0)).double()
    operator, image = SenseOperator(weights, maps), random(1, 3, 6, 5)
    torch.testing.assert_close(operator.forward(image), weights * fft2c(expand(image, maps)), rtol=0, atol=1e-12)
    torch.testing.assert_close(operator.normal(image), operator.adjoint(operator.forward(image)), rtol=0, atol=1e-12)


def test_gram_exists_where_it_pays():
    maps = random(1, 1, 2, 8, 6)
    static = SenseOperator(make_mask("static lines", 1, 1, 8, 6).expand(1, 6, 1, 8, 6), maps)
    assert static.static_mask
    assert static.full_readout
    assert static.gram is not None
    assert static.gram.groups == 1
    alternating = torch.zeros(1, 6, 1, 8, 1, dtype=torch.bool)
    alternating[:, ::2, :, ::2], alternating[:, 1::2, :, 1::2] = True, True
    two = SenseOperator(alternating, maps)
    assert not two.static_mask
    assert two.gram is not None
    assert two.gram.groups == 2
    assert SenseOperator(make_mask("lines per frame", 1, 6, 8, 6), maps).gram is None
    assert SenseOperator(make_mask("static plane", 1, 1, 8, 6), maps).gram is None
    assert SenseOperator(make_mask("static lines", 1, 1, 8, 6), maps, gram_limit_mib=0.001).gram is None


def test_sets_of_frames_multiply_and_solve_like_the_fourier_form():
    maps, image = random(1, 1, 2, 8, 6), random(1, 7, 8, 6)
    mask = torch.zeros(1, 7, 1, 8, 1, dtype=torch.bool)
    mask[:, ::2, :, ::2], mask[:, 1::2, :, 1::2] = True, True
    operator = SenseOperator(mask, maps)
    assert operator.gram is not None
    torch.testing.assert_close(operator.normal(image), operator.normal_by_fft(image), rtol=0, atol=1e-12)
    x = operator.solve(image, 0.2)
    torch.testing.assert_close(operator.normal_by_fft(x) + 0.2 * x, image, rtol=0, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["static lines", "lines per frame", "plane per frame"])
def test_gradients_flow_through_every_method(kind):
    operator = SenseOperator(make_mask(kind, 1, 2, 3, 4), random(1, 1, 2, 3, 4, seed=1))
    image, kspace = random(1, 2, 3, 4).requires_grad_(), random(1, 2, 2, 3, 4, seed=2).requires_grad_()
    weight = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(operator.forward, (image,))
    assert torch.autograd.gradcheck(operator.adjoint, (kspace,))
    assert torch.autograd.gradcheck(operator.normal, (image,))
    assert torch.autograd.gradcheck(lambda b, w: operator.solve(b, w, iterations=100, tolerance=1e-13), (image, weight))


def test_start_of_conjugate_gradients_does_not_change_gradients():
    operator = SenseOperator(make_mask("plane per frame", 1, 3, 5, 4), random(1, 1, 2, 5, 4, seed=1))
    image = random(1, 3, 5, 4).requires_grad_()
    solution = operator.solve(image, 0.3, iterations=200, tolerance=1e-13)
    (cold,) = torch.autograd.grad(solution.abs().square().sum(), image)
    again = operator.solve(image, 0.3, x0=solution.detach(), iterations=200, tolerance=1e-13)
    (warm,) = torch.autograd.grad(again.abs().square().sum(), image)
    torch.testing.assert_close(warm, cold, rtol=1e-8, atol=0)


def test_an_operator_used_under_inference_mode_still_trains():
    operator = SenseOperator(make_mask("static lines", 1, 1, 5, 4), random(1, 1, 2, 5, 4))
    with torch.inference_mode():
        operator.solve(random(1, 3, 5, 4), 0.4)
        operator.normal_by_fft(random(1, 3, 5, 4))
    image = random(1, 3, 5, 4).requires_grad_()
    weight = torch.tensor(0.4, requires_grad=True)
    (operator.solve(image, weight) + operator.normal(image) + operator.normal_by_fft(image)).abs().sum().backward()
    assert image.grad is not None
    assert weight.grad is not None


def test_cropped_readout_is_the_same_problem():
    maps, mask, image = random(1, 1, 3, 8, 9), make_mask("static lines", 1, 1, 8, 9), random(1, 2, 8, 9)
    operator = SenseOperator(mask, maps)
    kspace = operator.forward(image)
    whole = operator.solve(operator.adjoint(kspace), 0.1)
    for fresh in (True, False):  # with Gram matrices made anew, and taken from the whole
        small = (SenseOperator(mask, maps) if fresh else operator).crop_readout(2, 7)
        part = small.solve(small.adjoint(crop_readout(kspace, 2, 7)), 0.1)
        torch.testing.assert_close(part, whole[..., 2:7], rtol=0, atol=1e-11)


def test_moving_to_the_same_device_is_free_and_types_are_kept():
    operator = SenseOperator(make_mask("static lines", 1, 1, 8, 6), random(1, 1, 2, 8, 6, dtype=torch.complex64))
    assert operator.to("cpu") is operator
    assert operator.forward(random(1, 2, 8, 6, dtype=torch.complex64)).dtype == torch.complex64
    assert operator.mask.dtype == torch.bool


@pytest.mark.cuda
def test_cuda_equals_cpu():
    for kind in MASKS:
        operator = SenseOperator(make_mask(kind, 2, 4, 9, 8), random(1, 1, 3, 9, 8))
        image, kspace = random(2, 4, 9, 8), random(2, 4, 3, 9, 8)
        moved = operator.to("cuda")
        for method, value in ((("forward"), image), ("adjoint", kspace), ("normal", image), ("normal_by_fft", image)):
            expected, found = getattr(operator, method)(value), getattr(moved, method)(value.cuda()).cpu()
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)
        torch.testing.assert_close(moved.solve(image.cuda(), 0.3).cpu(), operator.solve(image, 0.3), rtol=0, atol=1e-5)


def test_single_precision_gram_at_full_height_agrees_with_the_fourier_form():
    # 256 x 256: where batched torch.linalg.inv fails (performance notes, 9).
    maps = random(1, 1, 4, 256, 6, dtype=torch.complex64)
    maps = maps / torch.linalg.vector_norm(maps, dim=-3, keepdim=True)
    mask = torch.zeros(1, 1, 1, 256, 1, dtype=torch.bool)
    mask[:, :, :, ::4], mask[:, :, :, 116:140] = True, True
    operator, image = SenseOperator(mask, maps), random(1, 3, 256, 6, dtype=torch.complex64)
    assert operator.gram is not None
    torch.testing.assert_close(operator.normal(image), operator.normal_by_fft(image), rtol=0, atol=3e-5)
    exact = SenseOperator(mask, maps.to(torch.complex128)).solve(image.to(torch.complex128), 0.01).to(torch.complex64)
    error = torch.linalg.vector_norm(operator.solve(image, 0.01) - exact) / torch.linalg.vector_norm(exact)
    assert error < 1e-4
    operator.gram.inverse(0.01)
    error = torch.linalg.vector_norm(operator.solve(image, 0.01) - exact) / torch.linalg.vector_norm(exact)
    assert error < 1e-4


def test_a_long_solve_can_be_cancelled():
    def check():
        raise Cancelled

    for kind in ("static lines", "lines per frame"):
        operator = SenseOperator(make_mask(kind, 1, 4, 8, 6), random(1, 1, 2, 8, 6))
        with pytest.raises(Cancelled):
            operator.solve(random(1, 4, 8, 6), 0.1, check=check)
        operator.solve(random(1, 4, 8, 6), 0.1)  # nothing half-made is left behind


def test_what_does_not_fit_is_refused():
    maps, mask = random(1, 1, 2, 8, 6), make_mask("static lines", 1, 1, 8, 6)
    with pytest.raises(ShapeError, match="coil maps need five complex axes"):
        SenseOperator(mask, maps[0])
    with pytest.raises(ShapeError, match="coil maps need five complex axes"):
        SenseOperator(mask, maps.real)
    with pytest.raises(ShapeError, match="mask needs five axes"):
        SenseOperator(mask[0], maps)
    with pytest.raises(ShapeError, match="mask does not fit the coil maps"):
        SenseOperator(mask[..., :7, :], maps)
    with pytest.raises(ShapeError, match="mask does not fit the coil maps"):
        SenseOperator(make_mask("lines per frame", 1, 3, 8, 6), maps.expand(1, 2, 2, 8, 6))
    operator = SenseOperator(mask, maps)
    with pytest.raises(ShapeError, match="image does not fit the operator"):
        operator.forward(random(1, 2, 8, 5))
    with pytest.raises(ShapeError, match="k-space does not fit the operator"):
        operator.adjoint(random(1, 2, 3, 8, 6))
    with pytest.raises(InputError, match="image has another type than the coil maps"):
        operator.normal(random(1, 2, 8, 6, dtype=torch.complex64))
    for weight in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="weight of a proximal step must be positive"):
            operator.solve(random(1, 2, 8, 6), weight)
    with pytest.raises(ShapeError, match=r"readout crop 3\.\.9 is outside"):
        operator.crop_readout(3, 9)
    with pytest.raises(ShapeError, match=r"readout crop 4\.\.4 is outside"):
        crop_readout(random(1, 2, 8, 6), 4, 4)
    with pytest.raises(ShapeError, match="readout cannot be cropped"):
        SenseOperator(make_mask("static plane", 1, 1, 8, 6), maps).crop_readout(0, 3)


@pytest.mark.parametrize("prepared", [True, False])
def test_some_frames_of_an_operator_are_the_operator_of_some_frames(case, prepared):
    operator, image, kspace = case
    frames = image.shape[1]
    if prepared:
        operator.prepare()
    for start in range(frames):
        part = slice(start, min(start + 2, frames))
        some = operator.select_frames(part.start, part.stop)
        torch.testing.assert_close(some.forward(image[:, part]), operator.forward(image)[:, part], rtol=0, atol=1e-12)
        torch.testing.assert_close(some.adjoint(kspace[:, part]), operator.adjoint(kspace)[:, part], rtol=0, atol=1e-12)
        torch.testing.assert_close(some.normal(image[:, part]), operator.normal(image)[:, part], rtol=0, atol=1e-11)


def test_gram_matrices_are_shared_by_some_frames():
    mask = make_mask("lines per frame", 1, 2, 8, 6)[:, [0, 1, 0, 0, 0, 1, 1]]
    operator = SenseOperator(mask, random(1, 1, 2, 8, 6, seed=1))
    image = random(1, 7, 8, 6)
    whole = operator.normal(image)
    assert operator.gram is not None
    assert operator.gram.groups == 2
    some = operator.select_frames(2, 5)  # frames of one mask only
    assert some.gram is not None
    assert some.gram.groups == 1
    assert some.gram.matrices.untyped_storage().data_ptr() == operator.gram.matrices.untyped_storage().data_ptr()
    torch.testing.assert_close(some.normal(image[:, 2:5]), whole[:, 2:5], rtol=0, atol=1e-12)
    torch.testing.assert_close(some.solve(image[:, 2:5], 0.1), operator.solve(image, 0.1)[:, 2:5], rtol=0, atol=1e-10)
    more = image[:, [2, 3, 4, 2, 3, 4, 2, 3]]  # a set that is left alone serves any number
    torch.testing.assert_close(some.normal(more)[:, 3:6], whole[:, 2:5], rtol=0, atol=1e-12)


def test_an_operator_that_serves_any_frames_stays_itself():
    operator = SenseOperator(make_mask("static lines", 1, 1, 8, 6), random(1, 1, 2, 8, 6))
    assert operator.select_frames(3, 5) is operator


def test_frames_that_do_not_exist_are_refused():
    operator = SenseOperator(make_mask("lines per frame", 1, 3, 8, 6), random(1, 1, 2, 8, 6))
    for start, stop in ((2, 4), (1, 1), (-1, 2)):
        with pytest.raises(ShapeError, match="do not exist"):
            operator.select_frames(start, stop)
