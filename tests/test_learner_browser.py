"""A learner's session in a real JupyterLab: wrong, hint, corrected, right."""

import re
import shutil
from pathlib import Path

import pytest

SHEET = Path(__file__).parents[1] / "exercises" / "neurons" / "neurons.ipynb"
WRONG = """def neuron_forward(x, weight, bias):
    score = x @ weight + bias
    return score, np.sign(score)"""
RIGHT = """def neuron_forward(x, weight, bias):
    score = x @ weight + bias
    return score, np.where(score >= 0, 1, -1)"""


def run(page, cell, source=None):
    """Run a cell, with another source if one is given, and wait until it has run."""
    from playwright.sync_api import expect

    editor, prompt = cell.locator(".cm-content"), cell.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    editor.click()
    if source is not None:
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(source)
        expect(editor).to_contain_text(source.splitlines()[-1].strip())
    page.keyboard.press("Control+Enter")
    expect(prompt).not_to_have_text(before, timeout=60_000)
    expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=60_000)


@pytest.mark.browser
def test_a_wrong_answer_gets_its_hint_and_the_corrected_one_passes(lab, page, tmp_path):
    from playwright.sync_api import expect

    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(SHEET, folder)
    page.goto(f"{lab(folder)}/lab/tree/neurons.ipynb?reset")
    cells = page.locator(".jp-CodeCell")
    setup = cells.filter(has_text="import dlcourse").first
    answer = cells.filter(has_text="def neuron_forward").first
    verdict = cells.filter(has_text='check("neuron_forward"').first
    expect(setup).to_be_visible(timeout=60_000)
    expect(page.locator(".jp-NotebookPanel-toolbar")).to_contain_text("ipykernel", timeout=60_000)

    run(page, setup)
    run(page, verdict)  # before there is an answer
    expect(verdict).to_contain_text("NameError", timeout=60_000)

    run(page, answer, WRONG)
    run(page, verdict)
    expect(verdict).to_contain_text("1 of 2 points; still wrong: label", timeout=60_000)
    expect(verdict).to_contain_text("a score of exactly 0")
    expect(verdict).to_contain_text("knows three answers")
    expect(verdict).not_to_contain_text("Traceback")
    page.screenshot(path=tmp_path / "wrong.png")

    run(page, answer, RIGHT)
    run(page, verdict)
    expect(verdict).to_contain_text("neuron_forward: right (2 points)", timeout=60_000)
    page.screenshot(path=tmp_path / "right.png")
