"""Frames in chunks: the same images, a few at a time."""

from __future__ import annotations

import torch

from engine.models.parts import chunks
from engine.models.parts.chunks import in_chunks


def test_chunks_cover_all_images_in_order(monkeypatch):
    seen = []

    def network(part):
        seen.append(part.shape[0])
        return 2 * part

    images = torch.arange(7.0)[:, None, None, None].expand(7, 2, 5, 4)
    monkeypatch.setattr(chunks, "CPU_PIXELS", 45)
    assert torch.equal(in_chunks(network, images), 2 * images)
    assert seen == [2, 2, 2, 1]


def test_one_image_larger_than_a_chunk_goes_alone():
    seen = []
    images = torch.zeros(2, 1, 300, 300)
    in_chunks(lambda part: seen.append(part.shape[0]) or part, images)
    assert seen == [1, 1]
