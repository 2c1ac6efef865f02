"""One source may hold several networks; what it read says which."""

from __future__ import annotations

import pytest

from engine.core.errors import CheckpointMismatch
from engine.weights.published import PUBLISHED, Importer, Published


def source(*networks):
    return Importer(name="s", title="S", networks=networks, licence="MIT", url="", read=lambda _: Published({}, {}, "a"))


def test_the_only_network_need_not_be_named():
    assert source("one").network_of(Published({}, {}, "a")) == "one"
    assert source("one", "two").network_of(Published({}, {}, "a", network="two")) == "two"


def test_a_network_that_is_not_the_sources_is_a_defect():
    with pytest.raises(CheckpointMismatch, match=r"read weights of three \(expected one of one, two\)"):
        source("one", "two").network_of(Published({}, {}, "a", network="three"))
    with pytest.raises(CheckpointMismatch, match="read weights of no network") as caught:
        source("one", "two").network_of(Published({}, {}, "a"))
    assert "defect" in caught.value.hint


def test_every_source_is_complete():
    for name, importer in PUBLISHED.items():
        assert importer.name == name
        assert importer.networks
        assert importer.licence
        assert importer.url.startswith("https://")
