import json

import pytest

from dlcourse.checks.core import registry


def test_the_index_is_what_the_modules_hold():
    assert json.loads(registry.INDEX.read_text("utf8")) == registry.make_index(), (
        "write it anew: python -m dlcourse.checks.core.registry"
    )


def test_every_name_is_found_in_its_unit():
    for slug in registry.units():
        for name, exercise in registry.unit(slug).exercises.items():
            assert registry.find(name) is exercise
            assert exercise.slug == slug


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(registry.UnknownExercise, match="Did you mean 'perceptron_fit'"):
        registry.find("perceptron_fitt")
    with pytest.raises(registry.UnknownExercise, match="Did you mean 'neurons'"):
        registry.unit("neuron")


def test_a_question_is_no_exercise():
    with pytest.raises(registry.UnknownExercise):
        registry.find("neuron_and_brain")


def test_a_name_that_stands_twice_is_refused(tmp_path, monkeypatch):
    unit = registry.unit("neurons")
    (tmp_path / "a.py").touch()
    (tmp_path / "b.py").touch()
    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    monkeypatch.setattr(registry, "load", lambda slug: unit)
    with pytest.raises(ValueError, match="neuron_forward stands in a and in b: rename one"):
        registry.make_index()
