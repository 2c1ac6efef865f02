"""Steps are measured with their memory; computing activations again takes the memory and not the numbers."""

from __future__ import annotations

import pytest
import torch

from engine.bench.contract import one_thread
from engine.bench.training import Step, peak_mib
from engine.core.jobs import silent


def test_peak_is_what_lives_at_once():
    def work():
        a = torch.ones(256, 1024)  # 1 MiB
        a = a * 2  # the first goes when the second is there
        return (a + 1).sum()

    assert peak_mib(work) == pytest.approx(2.0, abs=0.1)


# Myonet keeps little: of its four cascades the one that is computed again is a third of the memory.
@pytest.mark.slow
@pytest.mark.parametrize(("name", "share"), [("myonet", 0.55), ("jotlasnet", 0.5), ("recurrent_varnet", 0.5)])
def test_computing_again_halves_the_memory_and_changes_no_gradient(name, share):
    with one_thread():
        usual, again = Step(name, (4, 2, 64, 24)), Step(name, (4, 2, 64, 24), checkpointing=True)
        assert float(usual()) == pytest.approx(float(again()), rel=1e-6)
        for (key, one), other in zip(usual.module.named_parameters(), again.module.parameters(), strict=True):
            assert (one.grad is None) == (other.grad is None), key
            if one.grad is not None:
                assert torch.allclose(one.grad, other.grad, rtol=1e-4, atol=1e-7), key
        assert peak_mib(again) < share * peak_mib(usual)


def test_quick_run_has_three_lines_for_a_network(monkeypatch):
    from engine.bench import training

    monkeypatch.setattr(training, "QUICK", ("unet",))
    monkeypatch.setattr(training, "QUICK_SIZES", (2, 2, 32, 24))
    monkeypatch.setattr(training, "has_fast_bfloat16", lambda _: True)
    with one_thread():
        lines = list(training.run(True, silent()))
    assert [line.other for line in lines] == ["plain form", "activations computed again", "float32"]
    assert all(line.ours_s > 0 and "steps/s" in line.quality_ours and "MiB" in line.quality_other for line in lines)
