"""The pages that students get back: what is in them, what isn't, and that nothing in them acts."""

import hostile_html as hostile
import nbformat
import pytest
import small
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell
from test_clean import harm
from test_mask import locked, masked

from dlcourse.checks.core import registry
from dlcourse.grading.backends import InProcess
from dlcourse.grading.course import session
from dlcourse.grading.errors import CourseError
from dlcourse.grading.feedback import feedback
from dlcourse.grading.feedback_page import page as as_page
from dlcourse.grading.grade import grade
from dlcourse.grading.release import release
from dlcourse.grading.strict import VERDICT
from dlcourse.grading.tally import tally

ABOUT = {"nbgrader": {"notebook": "evil", "score": 1, "max_score": 4, "late_penalty": 0}}


@pytest.fixture(scope="module")
def pages(graded):
    return {path.parts[-3]: path.read_text() for path in feedback("neurons", graded.home)}


def test_everybody_who_was_graded_gets_a_page(graded, pages):
    assert set(pages) == {row.student for row in graded.result.rows}


def test_the_page_shows_points_parts_and_the_hint(graded, pages):
    row = next(row for row in graded.result.rows if row.student.endswith("mistake-1"))
    text = pages[row.student]
    assert f"{row.automatic:g} of {row.total_max:g} points</strong>, 1 written answer still" in text
    assert "✗</span>" in text and "✓</span>" in text and "to be marked, of 4" in text
    made = [m for m in tally("neurons", graded.home)["mistakes"] if row.student in m["students"]]
    assert made
    for mistake in made:
        assert mistake["hint"].split("`")[0].replace("'", "&#x27;") in text


def test_a_right_answer_has_no_hint(pages):
    assert "<b>Hint:</b>" not in pages["01-solution"] and "✗" not in pages["01-solution"]


def test_no_page_shows_a_hidden_case_or_what_is_right_there(pages):
    for text in pages.values():
        assert "Case " not in text and "right is" not in text and "yours is" not in text


def test_no_page_shows_the_mark_scheme_or_an_exemplar_but_ones_own(pages):
    (question,) = registry.unit("neurons").questions.values()
    exemplars = [text[:50] for text in question.exemplars.values()]
    for text in pages.values():
        assert "Mark scheme" not in text and "MARK SCHEME" not in text
        assert sum(exemplar in text for exemplar in exemplars) <= 1


def test_every_page_forbids_scripts_and_fetching(pages):
    for text in pages.values():
        assert "default-src 'none'; img-src data:" in text
        assert "<script" not in text and 'src="http' not in text


def test_without_grades_there_is_no_feedback(course, tmp_path):
    release("neurons", course, tmp_path)
    with pytest.raises(CourseError, match="dlcourse grade neurons"):
        feedback("neurons", tmp_path)


# What is hostile -------------------------------------------------------------------


def evil(outputs=True):
    """A page of everything hostile that we know, in every place where a student's text stands."""
    own = {"grade_id": "essay", "grade": True, "solution": True, "points": 4, "score": 1}
    evil = {"<b>EVIL</b>": True}
    forged = {"parts": evil, "hints": [hostile.HTML["handler"], "`<img src=x onerror=alert(1)>`"]}
    shown = [new_output("display_data", data={VERDICT: forged})]
    cells = [
        *(new_markdown_cell(text) for text in hostile.MARKDOWN.values()),
        *(new_raw_cell(text) for text in hostile.HTML.values()),
        *(new_code_cell(text, outputs=[]) for text in hostile.HTML.values()),
        *masked(locked("check('twice', twice)", *shown, grade=True, points=4, score=1)),
        *masked(locked("assert f()", hostile.OUTPUTS["error"], grade=True, points=4, score=1)),
        new_code_cell("f()"),
    ]
    cells[-1].outputs = [nbformat.from_dict(o) for o in hostile.OUTPUTS.values()]
    for text in (hostile.HTML["script"], hostile.HTML["handler"]):
        cells.append(new_markdown_cell(text, metadata={"nbgrader": own | {"comment": text}}))
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.attachments = hostile.ATTACHMENTS
    return as_page(nbformat.from_dict({"cells": cells}), ABOUT, outputs)  # unchecked, on purpose


def test_a_page_of_everything_hostile_holds_no_harm():
    body = evil().partition("<main>")[2]
    own = [(tag, "id") for tag in ("section",)]  # the page's own anchors
    assert [each for each in harm(body) if each not in own and each != ("a", "#points-essay")] == [
        ("a", "#points-twice_check"),
        ("a", "#points-twice_check"),
    ]
    assert body.count("</main>") == 1 and "<b>EVIL" not in body


def test_outputs_can_be_left_out():
    assert "data:image/svg+xml" in evil() and "data:image/svg+xml" not in evil(outputs=False)


@pytest.mark.browser
def test_the_hostile_things_are_hostile_where_nothing_stops_them(page):
    page.on("dialog", lambda dialog: dialog.dismiss())
    names = ["script", "handler", "handler after a slash", "handler of details", "autofocus"]
    for name in [*names, "video", "svg", "noscript", "template", "comment", "end of the page"]:
        page.goto("about:blank")
        page.set_content(hostile.HTML[name], wait_until="commit")
        page.wait_for_function("window.pwned === 1", timeout=5000)


@pytest.mark.browser
@pytest.mark.parametrize("policy", [True, False])
def test_in_a_browser_no_script_runs_and_no_request_goes_out(page, tmp_path, policy):
    """With the page's own policy, and by the cleaning alone: each is a wall by itself."""
    path = tmp_path / "evil.html"
    text = evil()
    assert "Content-Security-Policy" in text
    path.write_text(text if policy else text.replace("Content-Security-Policy", "x-none"))
    asked, dialogs = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(path.as_uri())
    for element in page.query_selector_all("details summary, .answer b, .answer details"):
        element.dispatch_event("mouseover")
        element.dispatch_event("click")
    page.wait_for_timeout(500)
    assert page.evaluate("window.pwned") is None and dialogs == []
    assert [url for url in asked if not url.startswith("data:image/")] == [path.as_uri()]
    assert page.frames == [page.main_frame] and page.url == path.as_uri()


@pytest.mark.browser
def test_a_class_page_fits_a_phone_and_shows_its_formulas(graded, pages, page):
    path = graded.home / "feedback" / "01-solution" / "neurons" / "neurons.html"
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    pytest.importorskip("latex2mathml")
    assert page.evaluate("document.querySelector('math mfrac').getBoundingClientRect().height") > 20


# Through the gradebook ---------------------------------------------------------------


def shouting(job):
    done = small.stand_in(job)
    done.notebook.cells[0].outputs = [nbformat.from_dict(o) for o in hostile.OUTPUTS.values()]
    return done


@pytest.fixture
def home(tmp_path):
    home = small.make(tmp_path / "class", 1)
    path = home / "submitted" / "s00" / small.SLUG / f"{small.SLUG}.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[-1].source = hostile.HTML["handler"] + "\n\n" + hostile.HTML["script"]
    nbformat.write(notebook, path)
    (path.parent / "evil.html").write_text(hostile.HTML["script"])
    assert grade(small.SLUG, home, backend=InProcess(shouting)).ok
    return home


def test_a_file_beside_the_notebook_isnt_handed_back(home):
    (path,) = feedback(small.SLUG, home)
    assert sorted(p.name for p in path.parent.iterdir()) == ["small.html", "timestamp.txt"]


def test_a_comment_and_a_mark_stand_at_the_answer(home):
    from nbgrader.api import Gradebook

    from dlcourse.grading.course import database

    with Gradebook(database(home)) as gradebook:
        mark = gradebook.find_grade("why", small.SLUG, small.SLUG, "s00")
        mark.manual_score, mark.needs_manual_grade = 3, False
        note = gradebook.find_comment("why", small.SLUG, small.SLUG, "s00")
        note.manual_comment = "Well *said*, because $x^2$."
        gradebook.db.commit()
    text = feedback(small.SLUG, home)[0].read_text()
    assert "Well <em>said</em>" in text and "3 of 4" in text and "to be marked" not in text
    assert "<strong>3 of 9 points</strong>." in text


def test_feedback_again_replaces_the_page(home):
    (path,) = feedback(small.SLUG, home)
    path.write_text("old")
    assert len(feedback(small.SLUG, home)[0].read_text()) > 1000


def test_stock_nbgraders_own_page_is_harmless_too(home):
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    with session(home) as config:
        api = NbGraderAPI(coursedir=CourseDirectory(config=config), config=config)
        assert api.generate_feedback(small.SLUG)["success"]
    (path,) = home.glob("feedback/*/*/small.html")
    found = harm(path.read_text().partition("<body>")[2])
    assert "onerror" not in str(found) and "attacker" not in str(found)
    assert not {"script", "iframe", "style", "svg"} & set(map(str, found))
