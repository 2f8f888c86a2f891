import platform
import sys

import pytest

from dlcourse.data import texts
from dlcourse.data.provenance import DataError
from dlcourse.data.texts import load_manual, paragraphs, parts, without_repeats

needs_manual = pytest.mark.skipif(
    platform.python_version() != texts.TRIED, reason="another Python has another manual"
)


def said(manual):
    return [words for text in manual.values() for _, words in paragraphs(text)]


def test_paragraphs_end_at_empty_lines_and_are_known_by_their_words():
    assert list(paragraphs("\n a  b\nc\n \n\n  \n\td\n")) == [(" a  b\nc", "a b c"), ("\td", "d")]
    assert not list(paragraphs(" \n\n"))


@needs_manual
def test_the_manual_is_the_one_the_course_was_written_with():
    manual, about = load_manual()
    assert about.items == sum(map(len, manual.values())) == 373_104
    assert about.sha256.startswith("753e20863dbd")
    assert "3.11.7" in about.source and about.real


@needs_manual
def test_with_repeats_it_is_longer_and_says_nothing_else():
    whole, once = load_manual(repeats=True)[0], load_manual()[0]
    assert sum(map(len, whole.values())) == 464_970
    assert set(said(whole)) == set(said(once))


def test_no_paragraph_comes_twice():
    manual, _ = load_manual()
    found = said(manual)
    assert len(found) == len(set(found)) > 1000


def test_a_paragraph_stays_where_it_comes_first_whatever_its_white_space():
    given = {"a": "one\n\n two  three\n\nend\n", "b": "two three\n \nnew\n", "c": "end\n\none"}
    assert without_repeats(given) == {"a": "one\n\n two  three\n\nend\n\n", "b": "new\n\n"}


def test_parts_are_whole_texts_each_in_one_part():
    given = {f"t{i}": f"<{i}>" + "x" * (10 + i) for i in range(40)}
    found = parts(given)
    for text in given.values():
        assert sum(text in part for part in found.values()) == 1
    total = sum(map(len, given.values()))
    assert sum(map(len, found.values())) == total
    assert all(0.1 <= len(found[part]) / total < 0.16 for part in ("validation", "test"))
    assert parts(given) == found != parts(given, seed=1)


def test_too_few_texts_are_refused():
    with pytest.raises(ValueError, match="three texts, not 2"):
        parts({"a": "x", "b": "y"})


def test_another_python_is_said_to_have_another_text(monkeypatch):
    monkeypatch.setattr(texts.platform, "python_version", lambda: "3.99.0")
    assert "Python 3.99.0: another text than that of Python 3.11.7" in load_manual()[1].source


def test_a_python_without_its_manual_is_a_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(DataError, match="without its manual"):
        load_manual()
