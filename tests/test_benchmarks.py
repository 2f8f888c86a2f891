"""Benchmarks keep their sections of one README."""

import importlib.util
from pathlib import Path

import pytest

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


@pytest.fixture
def benchmark(monkeypatch, tmp_path):
    """``benchmark(name)`` loads a file of the folder; its README is a temporary one."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # set by benchmarks themselves: put back afterwards
    monkeypatch.syspath_prepend(FOLDER)
    import _readme

    monkeypatch.setattr(_readme, "README", tmp_path / "README.md")
    return lambda name: load(FOLDER / f"{name}.py")


def test_training_compares_every_loop_that_is_there(benchmark, monkeypatch, tmp_path, capsys):
    torch = pytest.importorskip("torch")
    training = benchmark("training")
    small = training.Case("a line", torch.nn.Linear(3, 10), (2, 3), 3, 2)
    monkeypatch.setattr(training, "cases", lambda: [small])
    monkeypatch.setattr(training, "PACKAGES", {"Fabric": "not-there", "Accelerate": "not-there"})
    training.main()
    said = capsys.readouterr().out
    assert 'Fabric is not measured: not-there is missing, pip install "dlcourse[bench]"' in said
    rows = [line.split(" | ") for line in said.splitlines() if line.startswith("| a line")]
    assert [row[1] for row in rows] == ["bare loop", "Trainer"]
    assert rows[0][3] == "1" and float(rows[1][3]) > 0
    assert training.median([*range(101)]) == (40, 50, 60) and training.median([2, 4]) == (2, 3, 4)
    assert "not installed: Fabric, Accelerate" in (tmp_path / "README.md").read_text("utf8")


def test_training_stops_where_a_loop_gives_other_weights(benchmark, monkeypatch):
    torch = pytest.importorskip("torch")
    training = benchmark("training")
    other = training.LOOPS | {"Trainer": lambda model, optimizer: lambda batches: None}
    monkeypatch.setattr(training, "LOOPS", other)
    case = training.Case("a line", torch.nn.Linear(3, 10), (2, 3), 3, 2)
    with pytest.raises(SystemExit, match="a line: the Trainer gives other weights"):
        training.prepare(case, ["bare loop", "Trainer"])


def test_time_to_accuracy_counts_what_was_trained_until_each_target(benchmark, monkeypatch):
    torch = pytest.importorskip("torch")
    timing = benchmark("time_to_accuracy")
    x, y = torch.randn(40, 1, 28, 28), torch.arange(40) % 10
    accuracies = iter([0.5, 0.975, 0.9, 0.98])
    monkeypatch.setattr(timing, "validated", lambda model, part: next(accuracies))
    monkeypatch.setattr(timing, "LOOK", 32)
    runs = [timing.until("ours", (x, y), (x, y), 0)]
    assert [images for _, images in runs[0]] == [72, 152]  # looked at 32, 72, 112, 152
    assert 0 < runs[0][0][0] < runs[0][1][0]
    never = [(float("inf"), float("inf"))] * 2
    rows = timing.table({"examples": [never], "ours": runs}).splitlines()
    assert rows[2].startswith("| 97% | ∞ | ∞ | 0 of 1 | ")
    assert rows[2].endswith(" | 72 | 1 of 1 | – |")


def test_both_contenders_of_time_to_accuracy_learn_and_shifts_move_all_pixels(benchmark):
    torch = pytest.importorskip("torch")
    timing = benchmark("time_to_accuracy")
    x, y = torch.randn(12, 1, 28, 28), torch.arange(12) % 10
    for contender in timing.CONTENDERS.values():
        model, step, _, _ = contender(12)
        before = [p.detach().clone() for p in model.parameters()]
        step(x, y)
        assert not all(map(torch.equal, before, model.parameters()))
        assert 0 <= timing.validated(model, (x, y)) <= 1 and model.training
    moved = {tuple(timing.shifted(x)[0, 0, 14].tolist()) for _ in range(200)}
    assert len(moved) == 9 and timing.shifted(x).shape == x.shape
    same = timing.shifted(x[:1].expand(100, 1, 28, 28))
    assert len({tuple(image[0, 14].tolist()) for image in same}) == 9  # each image for itself


def test_both_models_of_char_gpt_learn_and_look_back_only(benchmark, monkeypatch, tmp_path):
    torch = pytest.importorskip("torch")
    chars = benchmark("char_gpt")
    tokens = torch.arange(300) % 7
    for _, make, _ in chars.RUNS:
        torch.manual_seed(0)
        setting = make(7, 12)
        before = chars.loss(setting.model, tokens)
        with torch.no_grad():
            changed = tokens[None, :40].clone()
            changed[0, 20:] = 3
            first, second = setting.model(tokens[None, :40]), setting.model(changed)
        torch.testing.assert_close(first[:, :20], second[:, :20])
        assert chars.train(setting, tokens) > 0 and chars.loss(setting.model, tokens) < before
    monkeypatch.setattr(chars, "RUNS", chars.RUNS[:1])
    monkeypatch.setattr(chars, "read", lambda path: "abcdefg" * 400)
    chars.main(0.001)
    assert "| baseline | " in (tmp_path / "README.md").read_text("utf8")


def test_muon_moves_singular_values_to_about_1(benchmark):
    torch = pytest.importorskip("torch")
    chars = benchmark("char_gpt")
    torch.manual_seed(0)
    values = torch.linalg.svdvals(chars.orthogonalized(torch.randn(3, 8, 32)))
    assert values.min() > 0.6 and values.max() < 1.3
    for shape in ((24, 8), (8, 32), (32, 8)):  # three square matrices in one, wide, tall
        weight = torch.nn.Parameter(torch.randn(shape))
        before, gradient = weight.detach().clone(), torch.randn(shape)
        weight.grad = gradient
        chars.Muon([weight], lr=0.1).step()
        parts = [8, 8, 8] if shape == (24, 8) else [shape[0]]
        for step, g in zip(
            (before - weight.detach()).split(parts), gradient.split(parts), strict=True
        ):
            grow = max(1.0, len(step) / step.shape[1]) ** 0.5
            u, _, v = torch.linalg.svd(g, full_matrices=False)
            close = (u.mT @ (step / (0.1 * grow)) @ v.mT).diagonal()
            assert close.min() > 0.6 and close.max() < 1.3
