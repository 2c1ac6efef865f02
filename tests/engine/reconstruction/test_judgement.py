"""What a result says about how far it can be trusted."""

import numpy as np
import torch

from engine.core.jobs import silent
from engine.core.requests import MaskRequest, ReconRequest
from engine.core.types import ArrayReader, KSpaceSeries
from engine.physics.coil_maps import estimate_sets as sets_of
from engine.physics.coils import rss
from engine.physics.fourier import ifft2c
from engine.physics.soft_sense import sense_operator
from engine.reconstruction.judgement import TWO_SETS, gathered, notes_of_maps, unexplained
from engine.reconstruction.plan import reconstruct
from engine.sampling import make_mask
from tests.engine.physics.test_soft_sense import folded_scan


def series_of(*slices):
    return KSpaceSeries(reader=ArrayReader(np.stack([one.expand(2, *one.shape[1:]).numpy() for one in slices])), name="folded")


def test_a_folded_field_is_reconstructed_with_two_sets_and_the_result_says_so():
    folded = folded_scan()[0]
    series = series_of(folded)
    mask = make_mask(MaskRequest("equispaced", 3, 24), 2, *folded.shape[-2:])
    truth = rss(ifft2c(folded))[0].numpy()
    for method in ("zero_filled", "cg_sense", "grappa", "l1_wavelet", "low_rank_sparse"):
        made = reconstruct(ReconRequest(series, method, mask), silent())
        assert TWO_SETS in made.notes, method
        assert made.provenance["coil_maps"]["sets"] == [2], method
        # the reference is not what one set of maps leaves of the folded coil images
        assert np.linalg.norm(np.abs(made.reference[0, 0]) - truth) < 0.03 * np.linalg.norm(truth)
    full = reconstruct(ReconRequest(series, "zero_filled"), silent())
    assert np.abs(full.image - full.reference).max() < 1e-4 * np.abs(full.reference).max()


def test_ordinary_fields_have_one_set_and_nothing_is_said():
    whole = folded_scan()[1]
    mask = make_mask(MaskRequest("equispaced", 3, 24), 2, *whole.shape[-2:])
    made = reconstruct(ReconRequest(series_of(whole), "cg_sense", mask), silent())
    assert made.notes == ()
    assert made.provenance["coil_maps"]["sets"] == [1]


def test_a_method_that_uses_one_set_where_two_are_needed_warns():
    assert notes_of_maps("DC-CNN", 1, 1) == ()
    assert notes_of_maps("CG-SENSE", 2, 2) == (TWO_SETS,)
    (warning,) = notes_of_maps("DC-CNN", 2, 1)
    assert warning.startswith("warning:")
    assert "DC-CNN" in warning


def test_notes_name_their_slices_unless_they_hold_for_all():
    notes = {0: ("a", "b"), 2: ("a",), 4: ("a", "b")}
    assert gathered(notes) == ("a", "slices 1, 5: b")
    assert gathered({3: ("b",), 4: ()}) == ("slice 4: b",)
    assert gathered({}) == ()


def test_images_of_coils_fold_as_the_scan_does():
    """The phantom of these tests: what lies outside comes back on the other side, noise aside."""
    folded, whole = folded_scan(noise=0.0)
    a, b = ifft2c(folded), ifft2c(whole)
    by_hand = b[:, :, 12:84].clone()
    by_hand[:, :, -12:] += b[:, :, :12]
    by_hand[:, :, :12] += b[:, :, -12:]
    torch.testing.assert_close(a, by_hand, rtol=0, atol=1e-5)


def small_scan(coils, frames=1):
    """Return an aggressive case: 33 x 37, few coils."""
    kspace = folded_scan(coils=max(coils, 2))[1][:, :coils]
    return series_of(kspace[..., 32:65, 22:59].contiguous())


def test_a_method_below_zero_filling_says_so_with_the_reason():
    series = small_scan(1)
    mask = make_mask(MaskRequest("equispaced", 4, 8), 2, 33, 37)
    made = reconstruct(ReconRequest(series, "grappa", mask), silent())
    plain = reconstruct(ReconRequest(series, "zero_filled", mask), silent())
    far = [np.linalg.norm(np.abs(one.image) - np.abs(one.reference)) for one in (made, plain)]
    said = [note for note in made.notes if "than zero filling" in note]
    assert bool(said) == (far[0] > far[1])
    assert far[0] > far[1]
    assert "1 coil can separate" in said[0]
    assert "8 ACS lines are few" in said[0]
    assert not [note for note in plain.notes if note.startswith("warning")]


def test_an_image_that_does_not_explain_the_data_is_told():
    kspace = folded_scan()[1]
    mask = torch.ones(1, 1, 1, kspace.shape[-2], 1, dtype=torch.bool)
    mask[..., 1::2, :] = False
    maps = sets_of(kspace)
    operator = sense_operator(mask, maps)
    measured = (kspace * mask[0])[None]
    image = operator.solve(operator.adjoint(measured), 1e-3)
    assert unexplained("SENSE", image, operator, measured, ()) == []
    (warning,) = unexplained("a network", 0.3 * image, operator, measured, ())
    assert "leaves 49 % of the measured data unexplained" in warning
