"""All networks that the five papers are about or compare with, at their papers' sizes and costs."""

from __future__ import annotations

import pytest

from engine.evaluation.complexity import macs
from engine.models import MODELS

# Name, preset, parameters: counted in the papers' programs, or printed in the papers to as many digits as they give.
PARAMETERS = [
    ("recurrent_varnet", "paper", 6_869_272),
    ("egla_varnet", "paper", 3_279_108),
    ("gla_varnet", "paper", 3_208_216),
    ("vsharp", "paper", 180_805_665),
    ("vsharp", "cmrxrecon", 225_958_185),
    ("rvn", "paper", 2_602_174),
    ("vn_unet", "paper", 310_346_430),
    ("vn_unet_relax", "paper", 310_346_430),
    ("jotlasnet", "paper", 708_075),
    ("crunet_mr", "paper", 4_537_930),
    ("crnn_mri", "paper", 1_488_970),
    ("crnn_mri", "shared", 297_794),
    ("cinenet", "paper", 962_190),
    ("cinevn", "paper", 2_689_130),
    ("promptmr", "paper", 30_496_134),
    ("e2e_varnet", "paper", 29_936_966),
    ("ista_net", "paper", 293_780),
    ("dc_cnn", "paper", 293_760),
    ("slr_net", "paper", 293_808),
    ("lplus_s_net", "paper", 328_339),
    ("t2lr_net", "paper", 259_230),
    ("mc_varnet", "paper", 1_387_493),
    ("dudornet", "paper", 650_628),
    ("miccan", "paper", 2_621_910),
]
ROUNDED = [("ima", "paper", 1.53e6, 0.005), ("ima", "without-csca", 1.33e6, 0.005), ("unet3d", "paper", 4.0e6, 0.02)]
# Multiply-accumulates that a paper or a counter of its program gives: preset, shape or None for the spec's, count.
MACS = [
    ("recurrent_varnet", "paper", 506.46e9),
    ("egla_varnet", "paper", 236.58e9),
    ("vsharp", "paper", 2.58e12),
    ("ima", "paper", 107.92e9),
    ("ima", "without-csca", 103.28e9),
    ("jotlasnet", "paper", 137.6e9),
    ("crunet_mr", "paper", 494.5e9),
    ("crnn_mri", "paper", 365.8e9),
    ("cinevn", "paper", 127.1e9),
    ("cinenet", "paper", 133.5e9),
    ("lplus_s_net", "paper", 64.6e9),
    ("ista_net", "paper", 57.8e9),
    ("dc_cnn", "paper", 57.8e9),
    ("slr_net", "paper", 57.8e9),
    ("rvn", "paper", 191.1e9),
    ("vn_unet", "paper", 549.1e9),
    ("mc_varnet", "paper", 132.9e9),
    ("dudornet", "paper", 212.5e9),
]


def test_every_network_is_there():
    asked = {name for name, *_ in PARAMETERS} | {"ima", "unet", "unet3d"}
    assert asked <= set(MODELS.names())
    assert all({"paper", "small"} <= set(MODELS.get(name).presets) for name in asked)
    assert all(next(iter(MODELS.get(name).presets)) == "paper" for name in asked)


@pytest.mark.parametrize(("name", "preset", "count"), PARAMETERS, ids=lambda value: str(value))
def test_parameters_are_the_papers(name, preset, count):
    assert MODELS.get(name).parameters(preset) == count


@pytest.mark.parametrize(("name", "preset", "count", "share"), ROUNDED)
def test_parameters_that_papers_round(name, preset, count, share):
    assert MODELS.get(name).parameters(preset) == pytest.approx(count, rel=share)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "preset", "count"), MACS)
def test_multiply_accumulates_are_the_papers(name, preset, count):
    spec = MODELS.get(name)
    assert macs(spec, spec.presets[preset]) == pytest.approx(count, rel=0.005)


@pytest.mark.parametrize("name", [name for name, spec in MODELS.items() if spec.trainable])
def test_what_is_counted_is_said(name):
    spec = MODELS.get(name)
    assert spec.macs_shape
    assert spec.macs_counting.endswith("."), f"{name}: a sentence on how its multiply-accumulates are counted"
    assert spec.paper_macs is None or (name, "paper", spec.paper_macs) in MACS
