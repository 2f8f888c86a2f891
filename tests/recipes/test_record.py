import json
from pathlib import Path

import pytest

from dlcourse.closure import ROOT, digest
from dlcourse.recipes import record

RECORDED = sorted((ROOT / record.RESULTS).glob("*.json"))


def write(root, result, **changes):
    about = {"seeds": range(3), "seconds": 1.25, "packages": ["numpy"]} | changes
    return record.write("neurons", result, root=root, **about)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "chapters").mkdir()
    return tmp_path


def test_a_record_says_what_made_it(root):
    path = write(root, {"rows": [1]})
    assert path == root / "chapters" / "results" / "neurons.json"
    data = json.loads(path.read_text("utf-8"))
    assert data["rows"] == [1] and data["seeds"] == [0, 1, 2] and data["seconds"] == 1.2
    assert set(data["versions"]) == {"python", "numpy"}
    assert data["digest"] == digest(["dlcourse.recipes.neurons"])


def test_the_machine_is_described_without_its_name(root):
    import platform

    assert "cores" in record.machine()
    assert platform.node() not in path_text(write(root, {}))


def path_text(path):
    return path.read_text("utf-8")


def test_what_can_not_be_written_leaves_the_old_record(root):
    path = write(root, {"rows": [1]})
    before = path_text(path)
    with pytest.raises(ValueError):
        write(root, {"rows": float("nan")})
    assert path_text(path) == before


def test_elsewhere_than_in_the_repository_it_says_so(tmp_path):
    with pytest.raises(ValueError, match="root of the course's repository"):
        write(tmp_path, {})


def test_a_record_is_stale_once_its_code_changed(root):
    path = write(root, {})
    assert record.stale(path) is None
    path.write_text(path_text(path).replace(digest(["dlcourse.recipes.neurons"]), "0" * 16))
    assert "python -m dlcourse.recipes.neurons" in (record.stale(path) or "")


def test_a_slug_with_a_hyphen_names_a_module_with_an_underscore():
    assert record.module_of("gpu-training") == "dlcourse.recipes.gpu_training"


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_no_recorded_run_is_stale(path: Path):
    assert record.stale(path) is None, record.stale(path)


def test_there_are_recorded_runs():
    assert RECORDED
