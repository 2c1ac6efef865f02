"""The second sequence: where it comes from, what does not fit, on which scale it is seen, and that the result says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.core.errors import InputError, ShapeError
from engine.core.geometry import Geometry
from engine.core.jobs import silent
from engine.core.requests import MaskRequest, ReconRequest, ReferenceSequence
from engine.core.types import Acquisition, ArrayReader, ImageSeries, KSpaceSeries
from engine.models import MODELS, ModelSpec
from engine.models.ima import Ima, ImaConfig
from engine.physics.fourier import fft2c, ifft2c
from engine.reconstruction.inputs import reference_image
from engine.reconstruction.plan import reconstruct
from engine.sampling import make_mask
from tests.engine.tensors import relative

SHAPE = (2, 3, 4, 40, 36)


def objects(contrast=1.0, scale=1.0, frames=SHAPE[1]):
    """Return k-space of discs seen by smooth coils: k-space series whose contrast and scale can be chosen."""
    yy, xx = np.meshgrid(np.linspace(-1, 1, SHAPE[-2]), np.linspace(-1, 1, SHAPE[-1]), indexing="ij")
    angle = np.linspace(0, 2 * np.pi, SHAPE[2], endpoint=False)
    coils = np.stack([np.exp(-((yy - np.sin(a)) ** 2 + (xx - np.cos(a)) ** 2) / 2 + 1j * (xx * np.cos(a))) for a in angle])
    body = [(yy**2 + xx**2 < 0.5 + 0.1 * t) * (1 + 0.3 * contrast * np.cos(6 * xx + t)) for t in range(frames)]
    images = np.stack([np.stack(body) * (1 + s) for s in range(SHAPE[0])])
    kspace = fft2c(torch.from_numpy(images[:, :, None] * coils)).numpy()
    return KSpaceSeries(reader=ArrayReader(scale * kspace), name="discs", geometry=Geometry(voxel_mm=(8.0, 1.5, 1.5)))


@pytest.fixture
def series():
    return objects()


@pytest.fixture
def mask():
    return make_mask(MaskRequest("kt_uniform", 3.0, 12), SHAPE[1], SHAPE[-2], SHAPE[-1])


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "ima.safetensors"
    save_file(Ima(MODELS.get("ima").presets["small"]).state_dict(), path)
    return str(path)


@pytest.fixture
def spy(monkeypatch):
    """Return the name of a method whose image is its reference sequence."""

    def build(config):
        return lambda data: data.reference.expand(1, data.kspace.shape[1], -1, -1)

    spec = ModelSpec("spy", "Spy", "-", ImaConfig, build, {"paper": ImaConfig()}, needs_reference=True)
    MODELS.names()
    monkeypatch.setitem(MODELS._entries, "spy", spec)
    return "spy"


def run(series, method, mask, choice=None, **others):
    return reconstruct(ReconRequest(series, method, mask, reference_sequence=choice, **others), silent())


def test_the_temporal_mean_stands_in_and_the_result_says_so(series, mask, spy):
    made, asked = run(series, spy, mask), run(series, spy, mask, ReferenceSequence())
    assert np.array_equal(made.image, asked.image)
    # Every sample is averaged over the frames that measured it; the scale of the data comes back.
    lines = mask.lines[:, None]
    for index in range(SHAPE[0]):
        kspace = series.read(index) * lines
        mean = kspace.sum(0) / np.maximum(lines.sum(0), 1)
        rss = np.sqrt((np.abs(ifft2c(torch.from_numpy(mean)).numpy()) ** 2).sum(0))
        # Coil maps and root sum of squares differ at the edge of the object.
        assert np.linalg.norm(np.abs(made.image[index, 0]) - rss) < 0.03 * np.linalg.norm(rss)
        assert np.array_equal(made.image[index, 0], made.image[index, 2])
    assert "reference sequence: the mean of what the frames measured, in the place of another contrast" in made.notes
    assert made.provenance["reference_sequence"] == {"kind": "temporal mean"}


def test_another_frame_of_the_series_leads_all_fully_sampled(series, mask, spy):
    made = run(series, spy, mask, ReferenceSequence(frame=2))
    expected = reference_image(series, None, [2], silent())
    for frame in range(SHAPE[1]):
        assert relative(made.image[:, [frame]], expected) < 1e-5
    assert "reference sequence: frame 2 of the series, fully sampled, which so leads itself" in made.notes
    assert made.provenance["reference_sequence"] == {"kind": "frame of the series", "frame": 2}
    apart = run(series, spy, mask, ReferenceSequence(frame=2), frames=(0, 1))
    assert "reference sequence: frame 2 of the series, fully sampled" in apart.notes


def test_another_series_leads_frame_by_frame_on_the_scale_of_this_one(series, mask, spy):
    other = objects(contrast=-1.0, scale=1e-6)
    made = run(series, spy, mask, ReferenceSequence(other), frames=(2, 0, 1))
    expected = reference_image(other, None, [2, 0, 1], silent())
    mean = np.abs(run(series, spy, mask, frames=(2, 0, 1)).image)
    for index in range(SHAPE[0]):
        factor = np.percentile(mean[index], 99) / np.percentile(np.abs(expected[index]), 99)
        assert relative(made.image[index], factor * expected[index]) < 1e-4
    assert "reference sequence: discs" in made.notes
    assert made.provenance["reference_sequence"] == {"kind": "other series", "source": "discs", "frame": None}


def test_images_of_another_number_of_frames_lead_by_one_of_them(series, mask, spy):
    images = np.abs(reference_image(objects(contrast=-1.0, frames=5), None, None, silent()))
    other = ImageSeries(images, name="other", geometry=Geometry(voxel_mm=(8.0, 2.0, 2.0)))
    with pytest.raises(ShapeError, match=r"has 5 frames \(expected 1, or 3 as the series\)") as caught:
        run(series, spy, mask, ReferenceSequence(other))
    assert "--reference-frame" in caught.value.hint
    made = run(series, spy, mask, ReferenceSequence(other, 4))
    found = made.image[0, 1].real
    assert np.corrcoef(found.ravel(), images[0, 4].ravel())[0, 1] > 0.9999
    assert "reference sequence: other, frame 4, whose voxels have another size" in made.notes


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        (lambda: ReferenceSequence(frame=3), InputError, r"frame 3 of the reference sequence does not exist \(expected 0 to 2\)"),
        (lambda: ReferenceSequence(frame=-1), InputError, "frame -1 of the reference sequence does not exist"),
        (
            lambda: ReferenceSequence(ImageSeries(np.ones((2, 3, 40, 30), np.float32))),
            ShapeError,
            r"does not fit the series \(expected slice 2, frame 3, y 40, x 36 / found slice 2, frame 3, y 40, x 30\)",
        ),
        (lambda: ReferenceSequence(ImageSeries(np.ones((1, 3, 40, 36), np.float32))), ShapeError, "found slice 1, frame 3"),
        (lambda: ReferenceSequence(ImageSeries(np.zeros((2, 3, 40, 36), np.float32))), InputError, "has no signal in slice 0"),
    ],
)
def test_what_does_not_fit_is_refused(series, mask, spy, choice, error, message):
    with pytest.raises(error, match=message) as caught:
        run(series, spy, mask, choice())
    assert caught.value.hint


def test_undersampled_data_lead_nothing_but_by_their_mean(series, mask, spy):
    measured = KSpaceSeries(reader=series.reader, acquisition=Acquisition((mask,)))
    for choice in (ReferenceSequence(frame=1), ReferenceSequence(measured)):
        with pytest.raises(InputError, match="reference sequence is undersampled"):
            run(measured, spy, None, choice)
    assert run(measured, spy, None).image.shape == (2, 3, 40, 36)


def test_methods_that_take_none_refuse_one(series, mask):
    with pytest.raises(InputError, match="zero_filled takes no reference sequence"):
        run(series, "zero_filled", mask, ReferenceSequence())


def test_a_network_is_led_by_what_was_chosen(series, mask, weights):
    mean, frame = (
        run(series, "ima", mask, choice, weights=weights, slices=(0,), stages=True) for choice in (None, ReferenceSequence(frame=0))
    )
    assert relative(frame.image, mean.image) > 1e-3
    assert set(mean.stages) == {"image", "mask", "g", "auxiliary", "mapping"}
    # A mask has no scale; at the last stage it is the one that was measured with.
    assert np.array_equal(mean.stages["mask"][-1, 0].real, np.broadcast_to(mask.lines, (3, 40, 36)))
    assert np.array_equal(mean.stages["image"][-1], mean.image)
