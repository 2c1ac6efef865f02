"""The symmetry term on known residuals, and through a network."""

from __future__ import annotations

import pytest
import torch

from engine.losses import LOSSES, LossInput
from engine.models import ReconInput
from engine.models.ista_net import IstaNet, IstaNetConfig
from engine.physics.operator import SenseOperator
from tests.engine.models.unrolled import problem, with_stages


def given(**stages):
    image = torch.zeros(1, 2, 3, 4, dtype=torch.complex64)
    operator = SenseOperator(torch.ones(1, 1, 1, 3, 1, dtype=torch.bool), torch.ones(1, 1, 1, 3, 4, dtype=torch.complex64))
    return LossInput(image=image, target=None, full=image.unsqueeze(2), measured=None, operator=operator, stages=stages)


def test_it_is_the_sum_over_cells_of_mean_squares():
    found = LOSSES.get("symmetry").compute(given(symmetry=[torch.full((1, 2), 3.0), torch.tensor([1.0, -1.0, 2.0])]))
    assert found.item() == pytest.approx(9.0 + 2.0)


def test_it_is_zero_where_nothing_is_told():
    assert LOSSES.get("symmetry").compute(given(image=[torch.ones(3)])).item() == 0.0


def test_a_step_against_it_brings_the_transforms_closer():
    kspace, mask, maps = problem(dtype=torch.complex64)
    torch.manual_seed(0)
    network = IstaNet(IstaNetConfig(cells=1, channels=4)).train()
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3)
    values = []
    for _ in range(3):
        data, stages = with_stages(ReconInput(kspace, SenseOperator(mask, maps)))
        network(data)
        loss = LOSSES.get("symmetry").compute(given(symmetry=[stages[0, "symmetry"]]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        values.append(loss.item())
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0]
