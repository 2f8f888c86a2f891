"""Formgrader in a real JupyterLab: a person marks a written answer, and the total changes."""

import shutil

import hostile_html
import nbformat
import pytest

from dlcourse.grading.scores import read


def displaying_all_that_is_hostile(path):
    notebook = nbformat.read(path, 4)
    shown = nbformat.v4.new_code_cell("hostile()")
    shown.outputs = [
        nbformat.from_dict(output)
        for name, output in hostile_html.OUTPUTS.items()
        if name != "no text"  # no notebook may hold it
    ]
    answer = nbformat.v4.new_markdown_cell("\n\n".join(hostile_html.HTML.values()))
    notebook.cells += [shown, answer]
    path.chmod(0o644)
    nbformat.write(notebook, path)


@pytest.mark.browser
def test_a_mark_given_in_formgrader_counts(graded, lab, page, tmp_path):
    home = tmp_path / "class"
    shutil.copytree(graded.home, home)
    for path in home.glob("autograded/*/neurons/neurons.ipynb"):
        displaying_all_that_is_hostile(path)
    asked, dialogs = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: dialogs.append(dialog.message) or dialog.dismiss())
    (question,) = graded.result.rows[0].questions
    page.set_default_timeout(60_000)
    page.goto(f"{lab(home)}/lab")
    page.get_by_role("menuitem", name="Nbgrader").click()
    page.locator("#jp-mainmenu-nbgrader").get_by_text("Formgrader", exact=True).click()
    grader = page.frame_locator("iframe[src*='formgrader']")
    grader.get_by_role("link", name="Manual Grading").click()
    for crumbs in (1, 2):  # first the assignment, then the notebook in it
        grader.locator(".breadcrumb li").nth(crumbs - 1).wait_for()
        grader.locator("tbody").get_by_role("link", name="neurons", exact=True).click()
        grader.locator(".breadcrumb li").nth(crumbs).wait_for()
    grader.get_by_role("link", name="Submission #1", exact=True).click()
    # the mark scheme is back for the grader, though the learner's sheet has none
    grader.get_by_text("Mark scheme", exact=True).wait_for()
    grader.get_by_text("hostile()").wait_for()
    page.screenshot(path=tmp_path / "formgrader.png")
    # formgrader sets it when its script listens; a mark given before that is lost in silence
    grader.locator("input.extra-credit[placeholder]").first.wait_for()
    score = grader.locator(f"input.score#{question}")
    score.fill("3")
    with page.expect_response(lambda r: "/api/grade/" in r.url and r.ok):
        score.press("Tab")
    marked = [row for row in read("neurons", home) if row.questions[question] is not None]
    (row,) = [row for row in marked if row.questions[question] == 3]
    before = next(r for r in graded.result.rows if r.student == row.student)
    assert (row.to_be_graded, row.total) == (0, before.total + 3)
    assert not dialogs and not [url for url in asked if "attacker" in url]
    assert not any(frame.evaluate("window.pwned") for frame in page.frames)
