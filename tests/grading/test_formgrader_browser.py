"""Formgrader in a real JupyterLab: a person marks a written answer, and the total changes."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest

from dlcourse.grading.scores import read

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium: sudo apt-get install chromium"),
]


@contextmanager
def lab(home, log):
    """JupyterLab in the folder ``home``: the address with its token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
        + [f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=secret"],
        cwd=home,
        env={"HOME": str(home), "PATH": os.defpath},
        stdout=log,
        stderr=log,
    )
    try:
        for _ in range(240):
            try:
                url = f"http://127.0.0.1:{port}/api?token=secret"
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/lab?token=secret"
    finally:
        server.terminate()
        server.wait(30)


def test_a_mark_given_in_formgrader_counts(graded, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    home = tmp_path / "class"
    shutil.copytree(graded.home, home)
    (question,) = graded.result.rows[0].questions
    with (
        open(tmp_path / "lab.log", "w") as log,
        lab(home, log) as address,
        playwright.sync_playwright() as p,
    ):
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(address)
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
        score = grader.locator(f"input.score#{question}")
        score.fill("3")
        with page.expect_response(lambda r: "/api/grade/" in r.url and r.ok):
            score.press("Tab")
        browser.close()
    marked = [row for row in read("neurons", home) if row.questions[question] is not None]
    (row,) = [row for row in marked if row.questions[question] == 3]
    before = next(r for r in graded.result.rows if r.student == row.student)
    assert (row.to_be_graded, row.total) == (0, before.total + 3)
