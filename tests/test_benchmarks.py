"""Benchmarks keep their sections of one README."""

import importlib.util
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "benchmarks"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_benchmark_has_been_run_and_its_section_says_what_it_measures():
    text = (FOLDER / "README.md").read_text("utf8")
    for path in FOLDER.glob("[a-z]*.py"):
        assert f"\n## {path.name}\n" in text
        assert path.read_text("utf8").split('"""')[1].strip() in text, "run make bench again"


def test_a_section_is_renewed_and_the_others_stay(tmp_path, monkeypatch):
    readme = load(FOLDER / "_readme.py")
    monkeypatch.setattr(readme, "README", tmp_path / "README.md")
    readme.renew("b.py", "old\n\n### not a section\n")
    readme.renew("a.py", "first")
    readme.renew("b.py", "new")
    readme.renew("b.py", "new")
    expected = f"{readme.HEAD}\n## a.py\n\nfirst\n\n## b.py\n\nnew\n"
    assert (tmp_path / "README.md").read_text("utf8") == expected
    assert readme.processor()
