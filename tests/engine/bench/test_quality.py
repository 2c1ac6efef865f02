"""The table of all methods: its scores are those of ``evaluate``, in the slices and with the masks it names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine import api
from engine.bench import quality
from engine.bench import reconstruction_peers as peers
from engine.bench.contract import one_thread
from engine.core.jobs import silent
from engine.core.records.weights import ModelCard
from engine.core.requests import MaskRequest, ReconRequest
from engine.core.types import ImageSeries, Kind
from engine.io.samples import open_sample
from engine.phantom.simulate import simulate
from engine.weights.library import Installed

NETWORKS = ("mapping_network", "myonet", "vn_unet_relax", "cinenet")


@pytest.fixture
def small(monkeypatch):
    """Let the porcine cine be small, the phantom too, and only two methods take part."""
    images = open_sample("porcine_cine").images[:2, :4, 96:160, 96:160]
    series = simulate(ImageSeries(images=images, kind=Kind.CINE), 4, 100.0, 0, silent())
    monkeypatch.setattr(quality, "_porcine", lambda: series)
    monkeypatch.setattr(quality, "MATRIX", (72, 48))
    monkeypatch.setattr(quality, "COILS", 4)
    monkeypatch.setattr(quality, "CLASSICAL", ("zero_filled", "l1_wavelet"))
    monkeypatch.setattr(quality, "SLICES", (0, 1))
    monkeypatch.setattr(quality, "HEARTS", (2**31,))
    monkeypatch.setattr(quality, "ACCELERATIONS", (4,))
    monkeypatch.setattr(quality, "installed", list)
    return series


@pytest.mark.slow
def test_lines_have_the_scores_of_evaluate(small, monkeypatch):
    monkeypatch.setattr(peers, "has_bart", lambda: False)
    with one_thread():
        lines = {line.case: line for line in quality.run(False, silent())}
    assert list(lines) == [f"{kind}, R 4: {name}" for kind in ("cine", "molli") for name in ("zero_filled", "l1_wavelet")]
    assert {line.other for line in lines.values()} == {"l1_wavelet"}
    mask = api.make_mask(MaskRequest("equispaced", 4, 24), small.shape)
    image = api.reconstruct(ReconRequest(small, "zero_filled", mask, device="cpu", reference=False)).image
    reference = api.reference(small)
    found = []
    for region in (None, api.dynamic_region(reference)):
        found += [one.value for one in api.evaluate(image, reference, ("psnr", "ssim"), region) if one.slice == "all"]
    words = "{:.2f} dB, SSIM {:.4f}; dynamic {:.2f} dB, {:.4f}".format(*found)
    assert lines["cine, R 4: zero_filled"].quality_ours == words
    assert lines["cine, R 4: l1_wavelet"].difference == "+0.00 dB"
    assert lines["molli, R 4: l1_wavelet"].quality_ours == lines["molli, R 4: zero_filled"].quality_other


def test_error_of_t1_is_small_for_the_signal_itself_and_grows_with_noise():
    heart = quality._heart(2**31, silent())
    assert 20 < np.count_nonzero(heart.t1_ms) < 2000
    reference = heart.reference()
    noise = np.random.default_rng(0).standard_normal((2, *reference.shape)) * 0.05 * np.abs(reference).max()
    assert heart.t1_error(reference) < 30
    assert heart.t1_error((reference + noise[0] + 1j * noise[1]).astype(np.complex64)) > 2 * heart.t1_error(reference)


def test_weights_at_hand_take_part_where_their_network_serves(monkeypatch):
    cards = [ModelCard(id=f"my-{n}", network=n, config={}, parameters=1, sha256="") for n in NETWORKS]
    monkeypatch.setattr(quality, "installed", lambda: [Installed(card, Path("nowhere"), True) for card in cards])
    own = [entry.label for entry in quality.entries("cine", 20)[len(quality.CLASSICAL) :]]
    assert own == ["myonet (my-myonet)", "cinenet (my-cinenet)"]
    own = [entry.label for entry in quality.entries("molli", 9)[len(quality.CLASSICAL) :]]
    assert own == ["myonet (my-myonet)", "vn_unet_relax (my-vn_unet_relax)"]
    own = [entry.label for entry in quality.entries("molli", 8)[len(quality.CLASSICAL) :]]
    assert own == ["myonet (my-myonet)"]  # the other is built for nine frames


@pytest.mark.skipif(not peers.has_bart(), reason="BART is not installed")
def test_bart_is_the_other_side_where_it_is_installed(small, monkeypatch):
    monkeypatch.setattr(quality, "BART_WEIGHTS", (0.004,))
    with one_thread():
        line = next(iter(quality.run(True, silent())))
    assert line.other == "BART pics -i30 -RW:3:0:0.004"
    assert float(line.quality_other.split(" dB")[0]) > float(line.quality_ours.split(" dB")[0])  # ours is zero-filled
