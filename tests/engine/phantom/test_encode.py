"""Encoding against the plain centred transform; noise that is always the same and has the size it says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from engine.phantom.encode import EncodedReader, fold_shifts


class Source:
    """Random images and maps."""

    def __init__(self, shape, seed=3):
        rng = np.random.default_rng(seed)
        s, f, c, y, x = self.shape = shape
        self._images = (rng.normal(size=(s, f, y, x)) + 1j * rng.normal(size=(s, f, y, x))).astype(np.complex64)
        self._maps = (rng.normal(size=(s, c, y, x)) + 1j * rng.normal(size=(s, c, y, x))).astype(np.complex64)
        self.calls = 0

    def images(self, slice_index):
        self.calls += 1
        return self._images[slice_index]

    def maps(self, slice_index):
        return self._maps[slice_index]


@pytest.mark.parametrize("size", [(8, 6), (7, 6), (8, 5), (9, 11), (16, 17)])
def test_kspace_is_the_centred_orthonormal_transform(size):
    source = Source((2, 3, 4, *size))
    kspace = EncodedReader(source, 0.0, 0).read(1)
    coil_images = source._images[1][:, None].astype(np.complex128) * source._maps[1][None]
    shifted = np.fft.ifftshift(coil_images, axes=(-2, -1))
    expected = np.fft.fftshift(np.fft.fft2(shifted, norm="ortho"), axes=(-2, -1))
    np.testing.assert_allclose(kspace, expected, atol=2e-5)
    assert kspace.dtype == np.complex64


def test_a_point_in_the_middle_gives_flat_kspace():
    for ny, nx in ((9, 12), (10, 7)):
        image = np.zeros((ny, nx), np.complex64)
        image[ny // 2, nx // 2] = 1.0
        folded = fold_shifts(np.ones((1, ny, nx), np.complex64))
        kspace = np.fft.fft2(folded * np.fft.ifftshift(image), norm="ortho")
        np.testing.assert_allclose(kspace, 1.0 / np.sqrt(ny * nx), atol=1e-6)


def test_frames_and_slices_are_the_same_however_they_are_read():
    shape = (3, 4, 2, 9, 8)
    whole = np.stack([EncodedReader(Source(shape), 0.5, 7).read(s) for s in range(3)])
    backwards = EncodedReader(Source(shape), 0.5, 7)
    for s in (2, 0, 1):
        np.testing.assert_array_equal(backwards.read(s), whole[s])
    alone = EncodedReader(Source(shape), 0.5, 7)
    for s, f in ((1, 3), (0, 0), (2, 1)):
        np.testing.assert_array_equal(alone.read_frame(s, f), whole[s, f])
    alone.read(1)
    np.testing.assert_array_equal(alone.read_frame(1, 2), whole[1, 2])


def test_threads_read_the_same():
    shape = (4, 3, 2, 16, 15)
    whole = [EncodedReader(Source(shape), 0.1, 1).read(s) for s in range(4)]
    reader = EncodedReader(Source(shape), 0.1, 1)
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(reader.read, [0, 1, 2, 3] * 4))
    for k, one in enumerate(got):
        np.testing.assert_array_equal(one, whole[k % 4])


def test_the_last_slice_is_kept():
    source = Source((2, 2, 2, 8, 8))
    reader = EncodedReader(source, 0.1, 0)
    assert reader.read(0) is reader.read(0)
    assert source.calls == 1
    with pytest.raises(ValueError, match="read-only"):
        reader.read(0)[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        reader.read_frame(1, 0)[0] = 0


def test_noise_has_its_size_and_is_white():
    shape = (1, 4, 6, 64, 60)
    noise = EncodedReader(Source(shape), 0.3, 5).read(0) - EncodedReader(Source(shape), 0.0, 5).read(0)
    assert noise.real.std() == pytest.approx(0.3, rel=0.01)
    assert noise.imag.std() == pytest.approx(0.3, rel=0.01)
    assert abs(np.mean(noise.real * noise.imag)) < 0.002
    coils = np.moveaxis(noise, 1, 0).reshape(6, -1)
    covariance = coils @ coils.conj().T / coils.shape[1]
    np.testing.assert_allclose(covariance, 2 * 0.3**2 * np.eye(6), atol=0.01)
    frames = noise.reshape(4, -1)
    assert np.abs(np.corrcoef(frames)[0, 1:]).max() < 0.03
