"""All recall questions in one place, and as cards for Anki."""

import csv
import re

from review import asked, cards


def test_every_question_of_a_page_is_there_once_in_the_order_of_the_course(root):
    found = asked(root)
    assert list(found)[:2] == ["pages/prerequisites", "chapters/introduction"]
    names = [name for _, questions in found.values() for name in questions]
    written = [
        name
        for path in [*root.glob("chapters/*.md"), *root.glob("pages/*.md")]
        for name in re.findall(r"^```\{recall\} (\S+)$", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert sorted(names) == sorted(written) and len(set(names)) == len(names) > 100


def test_cards_are_read_back_as_anki_reads_them(root):
    """Tabs between columns, no quotes, what begins with # says how (Anki's manual, text files)."""
    lines = cards(root).splitlines()
    head = [line for line in lines if line.startswith("#")]
    assert head[:2] == ["#separator:Tab", "#html:true"] and lines[: len(head)] == head
    rows = list(csv.reader(lines[len(head) :], delimiter="\t", quoting=csv.QUOTE_NONE))
    assert all(len(row) == 4 and all(row) for row in rows)
    ids = [row[0] for row in rows]
    assert len(set(ids)) == len(ids) == sum(len(questions) for _, questions in asked(root).values())
    for _, front, back, tag in rows:
        assert front.count("<li>") == back.count("<li>") >= 2
        assert "<b>Right.</b>" in back and " " not in tag
        assert "$" not in front.replace("\\$", "") and "`" not in front + back


def test_a_formula_is_one_that_anki_draws(root):
    (line,) = [line for line in cards(root).splitlines() if "lstm-why" in line]
    assert "Right" in line
    assert any(r"\(" in line and "$" not in line for line in cards(root).splitlines())
