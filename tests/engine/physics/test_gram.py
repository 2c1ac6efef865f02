"""Gram matrices against the operator written out column by column; factors, inverses and layouts."""

import pytest
import torch

from engine.core.errors import InputError, ShapeError
from engine.physics.fourier import fft1c
from engine.physics.gram import GramOperator, column_chunks, gram_matrices, point_spread_matrix
from tests.engine.tensors import random


@pytest.fixture
def operator():
    energy = (torch.rand(2, 1, 7, generator=torch.Generator().manual_seed(1)) < 0.5).double()
    return GramOperator(gram_matrices(energy, random(1, 1, 3, 7, 5)))


@pytest.mark.parametrize("size", [6, 7])
def test_point_spread_matrix_is_the_transform_sandwich(size):
    energy = torch.rand(2, size, generator=torch.Generator().manual_seed(0)).double()
    transform = fft1c(torch.eye(size, dtype=torch.complex128), 0)
    expected = transform.mH @ (energy.unsqueeze(-1) * transform)
    torch.testing.assert_close(point_spread_matrix(energy), expected, rtol=0, atol=1e-13)


def test_matrices_are_the_columns_of_the_definition():
    energy, maps = torch.tensor([1.0, 0, 0, 1, 1, 0, 1]).double(), random(1, 1, 3, 7, 5)
    matrices = gram_matrices(energy[None, None], maps)
    transform = fft1c(torch.eye(7, dtype=torch.complex128), 0)
    for x in range(5):
        encode = torch.cat([energy.sqrt()[:, None] * transform * maps[0, 0, c, :, x] for c in range(3)])
        torch.testing.assert_close(matrices[0, 0, x], encode.mH @ encode, rtol=0, atol=1e-12)


def test_solve_undoes_apply_plus_weight_by_factor_and_by_inverse(operator):
    image = random(2, 4, 7, 5, seed=2)
    by_factor = operator.solve(image, 0.2)
    torch.testing.assert_close(operator.apply(by_factor) + 0.2 * by_factor, image, rtol=0, atol=1e-11)
    identity = operator.inverse(0.2) @ (operator.matrices + 0.2 * torch.eye(7, dtype=torch.float64))
    torch.testing.assert_close(identity, torch.eye(7, dtype=torch.complex128).expand_as(identity), rtol=0, atol=1e-11)
    torch.testing.assert_close(operator.solve(image, 0.2), by_factor, rtol=0, atol=1e-11)
    torch.testing.assert_close(operator.solve(image, 0.5) * 0.5 + operator.apply(operator.solve(image, 0.5)), image)


def test_column_layout_is_the_same_product(operator):
    image = random(2, 4, 7, 5, seed=2)
    columns = operator.to_columns(image)
    assert columns.shape == (2, 5, 7, 4)
    torch.testing.assert_close(operator.to_image(columns), image, rtol=0, atol=0)
    torch.testing.assert_close(operator.to_image(operator.apply_columns(columns)), operator.apply(image), rtol=0, atol=0)
    torch.testing.assert_close(operator.to_image(operator.solve_columns(columns, 0.1)), operator.solve(image, 0.1), rtol=0, atol=0)


def test_first_and_second_derivatives_are_right():
    operator = GramOperator(gram_matrices(torch.tensor([[[1.0, 0, 1]]]).double(), random(1, 1, 2, 3, 2)))
    image = random(1, 2, 3, 2, seed=2).requires_grad_()
    weight = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(operator.solve, (image, weight))
    assert torch.autograd.gradgradcheck(operator.solve, (image, weight))
    assert torch.autograd.gradcheck(operator.apply, (image,))


def test_crop_keeps_factors_and_frames(operator):
    image = random(2, 4, 7, 5, seed=2)
    whole = operator.solve(image, 0.2)
    operator.inverse(0.2)
    torch.testing.assert_close(operator.crop_readout(1, 4).solve(image[..., 1:4].clone(), 0.2), whole[..., 1:4], rtol=0, atol=1e-11)
    with pytest.raises(ShapeError, match=r"readout crop 4\.\.6 is outside"):
        operator.crop_readout(4, 6)


def test_singular_and_impossible_weights_are_refused(operator):
    operator.matrices[:] = 0
    with pytest.raises(InputError, match=r"is singular in torch\.complex128"):
        operator.factor(0.0)
    with pytest.raises(InputError, match="finite and not negative"):
        operator.factor(-1.0)


def test_shapes_that_do_not_fit_are_refused(operator):
    with pytest.raises(ShapeError, match="image does not fit the Gram operator"):
        operator.apply(random(2, 4, 5, 7))
    with pytest.raises(ShapeError, match="image does not fit the Gram operator"):
        operator.apply(random(3, 4, 7, 5))
    with pytest.raises(ShapeError, match="Gram matrices need the axes"):
        GramOperator(random(1, 1, 5, 7, 6))
    with pytest.raises(ShapeError, match="do not fit their groups"):
        GramOperator(random(1, 2, 5, 7, 7))
    with pytest.raises(ShapeError, match="do not fit their groups"):
        GramOperator(random(1, 1, 5, 7, 7), [[0], [1]])


def test_chunks_cover_every_column_once():
    covered = [x for part in column_chunks(37, 300, torch.device("cpu")) for x in range(37)[part]]
    assert covered == list(range(37))


@pytest.mark.parametrize(
    ("part", "frames"),
    [(lambda one: one, 6), (lambda one: one.select_frames(1, 4), 3), (lambda one: one.crop_readout(1, 4), 6)],
    ids=["whole", "frames", "columns"],
)
def test_an_operator_with_own_factors_is_the_same_one(part, frames):
    """Of the whole, of some of its frames, of some of its columns; a solve with another weight leaves the first one's factor."""
    energy = (torch.rand(4, 1, 7, generator=torch.Generator().manual_seed(1)) < 0.6).double()
    matrices = torch.cat([gram_matrices(one[None], random(1, 1, 3, 7, 5)) for one in energy], dim=1)
    operator = part(GramOperator(matrices, [[0, 3], [1], [2, 4], [5]]))
    image = random(1, frames, 7, operator.matrices.shape[2], seed=2)
    before = operator.solve(image, 0.3)
    other = operator.with_own_factors()
    torch.testing.assert_close(other.apply(image), operator.apply(image), rtol=0, atol=0)
    factor = operator.factor(0.3)
    solved = other.solve(image, 2.0)
    torch.testing.assert_close(other.apply(solved) + 2.0 * solved, image, rtol=0, atol=1e-11)
    assert operator.factor(0.3) is factor, "the first one's factor is kept"
    torch.testing.assert_close(operator.solve(image, 0.3), before, rtol=0, atol=0)
