import jsonschema
import nbformat
import pytest
from nbformat import ValidationError as NotebookValidationError
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader import api
from nbgrader.api import Gradebook
from nbgrader.nbgraderformat import MetadataValidator, common

from dlcourse.grading.once import done_once

META = {"schema_version": 3, "grade": False, "solution": True, "locked": False, "task": False}


def cell(**more):
    return new_code_cell(metadata={"nbgrader": META | {"grade_id": "a"} | more})


def said(wrong):
    with pytest.raises(jsonschema.ValidationError) as error:
        MetadataValidator().validate_cell(wrong)
    return str(error.value)


@pytest.mark.parametrize("wrong", [cell(grade=3), cell(grade_id=None), cell(points="many")])
def test_metadata_is_refused_as_nbgrader_refuses_it(wrong):
    stock = said(wrong)
    with done_once():
        assert said(wrong) == stock
        MetadataValidator().validate_cell(cell())


def test_the_schema_is_checked_once(monkeypatch):
    kind, asked = jsonschema.validators.validator_for(MetadataValidator().schema), []
    monkeypatch.setattr(kind, "check_schema", lambda schema: asked.append(schema))
    with done_once():
        for _ in range(3):
            MetadataValidator().validate_cell(cell())
    assert len(asked) == 1
    MetadataValidator().validate_cell(cell())  # stock again
    assert len(asked) == 2


def test_a_cell_is_validated_with_its_notebook_and_not_before():
    with done_once():
        made = new_notebook(cells=[new_code_cell(source=3)])
        with pytest.raises(NotebookValidationError, match="3 is not valid"):
            nbformat.validate(made)
    with pytest.raises(NotebookValidationError):
        new_code_cell(source=3)


def test_gradebooks_of_one_url_share_an_engine_and_each_has_its_tables(tmp_path):
    stock = api.create_engine, api.Base.metadata.create_all, common.jsonschema
    with done_once():
        engines = []
        for name in ("one.db", "one.db", "two.db"):
            with Gradebook(f"sqlite:///{tmp_path / name}") as gradebook:
                gradebook.update_or_create_student(name)
                engines.append(gradebook.engine)
        assert engines[0] is engines[1] is not engines[2]
    assert stock == (api.create_engine, api.Base.metadata.create_all, common.jsonschema)
