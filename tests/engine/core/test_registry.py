"""The registry finds its entries by itself and helps with misspelt names."""

from __future__ import annotations

import sys
import textwrap

import pytest

from engine.core.errors import UnknownNameError
from engine.core.registry import Registry


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return the name of a package whose modules register two things."""
    folder = tmp_path / "things_for_test"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from engine.core.registry import Registry\nTHINGS = Registry('thing', __name__, 'things')\n"
    )
    for name in ("apple", "pear"):
        (folder / f"{name}.py").write_text(
            textwrap.dedent(f"""
            from things_for_test import THINGS
            THINGS.register("{name}", len("{name}"))
            """)
        )
    monkeypatch.syspath_prepend(tmp_path)
    yield "things_for_test"
    for module in [m for m in sys.modules if m.startswith("things_for_test")]:
        del sys.modules[module]


def test_modules_register_themselves(package):
    things = __import__(package).THINGS
    assert things.names() == ["apple", "pear"]
    assert dict(things.items()) == {"apple": 5, "pear": 4}
    assert things.get("pear") == 4


def test_unknown_name_suggests_the_nearest(package):
    with pytest.raises(UnknownNameError, match="unknown thing 'aple'") as caught:
        __import__(package).THINGS.get("aple")
    assert "apple" in caught.value.hint
    assert "myoscope things" in caught.value.hint


def test_second_entry_of_a_name_is_an_error(package):
    things = __import__(package).THINGS
    things.names()
    with pytest.raises(RuntimeError, match="registered twice"):
        things.register("apple", 1)


def test_empty_registry_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "nothing_for_test").mkdir()
    (tmp_path / "nothing_for_test" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RuntimeError, match="installation is incomplete"):
        Registry("thing", "nothing_for_test").names()


def test_poor_matches_do_not_stand_beside_a_good_one(package):
    things = __import__(package).THINGS
    things.register("plate", 2)
    for word, hint in (("appel", "Did you mean apple? "), ("pea", "Did you mean pear? "), ("zzz", "`myoscope")):
        with pytest.raises(UnknownNameError, match="unknown thing") as caught:
            things.get(word)
        assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize("word", ["L_Wavelet", "l-wavelet", "L WAVELET"])
def test_capitals_and_hyphens_do_not_hide_the_nearest_name(word, package):
    things = __import__(package).THINGS
    things.register("l_wavelet", 1)
    with pytest.raises(UnknownNameError, match="unknown thing") as caught:
        things.get(word)
    assert caught.value.hint.startswith("Did you mean l_wavelet? ")
