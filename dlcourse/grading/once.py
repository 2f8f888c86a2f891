"""What nbgrader does anew for each submission, or each cell, done once for a class."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from dlcourse.grading.errors import needs

with needs("grading"):
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for
    from nbformat.v4 import nbbase
    from nbgrader import api
    from nbgrader.nbgraderformat import common

BUSY_SECONDS = 60.0  # how long another program may keep an SQLite gradebook locked


@contextmanager
def done_once() -> Iterator[None]:
    """Within the block gradebooks of one URL share an engine, and schemata are checked once.

    nbgrader opens the gradebook ten times a submission with an engine of its own each, and each
    looks for all tables and compiles the same statements again. The engine is this thread's alone.
    And it asks for each cell whether its own schema is a schema, which takes longer than the cell.
    Cells that are made anew aren't validated one by one: their notebooks are, as wholes.
    """
    engines, ours = dict[str, Any](), threading.get_ident()
    make, make_tables, made = api.create_engine, api.Base.metadata.create_all, set[int]()
    validators = dict[str, Any]()

    def engine(url: str, **options: Any) -> Any:
        if threading.get_ident() != ours:  # nbgrader closes engines, which would close ours
            return make(url, **options)
        if url not in engines:
            if url.startswith("sqlite"):
                options["connect_args"] = {"timeout": BUSY_SECONDS}
            engines[url] = make(url, **options)
        return engines[url]

    def tables(bind: Any) -> None:
        if bind not in engines.values() or id(bind) not in made:
            make_tables(bind=bind)
            made.add(id(bind))

    def validate(instance: Any, schema: Any) -> None:
        """jsonschema's own, but for the check of the schema."""
        if (key := json.dumps(schema)) not in validators:  # read from its file for each notebook
            kind = validator_for(schema)
            kind.check_schema(schema)
            validators[key] = kind(schema)
        error = best_match(validators[key].iter_errors(instance))
        if error is not None:
            raise error

    try:
        with (
            patch.object(api, "create_engine", engine),
            patch.object(api.Base.metadata, "create_all", tables),
            patch.object(common, "jsonschema", SimpleNamespace(validate=validate)),
            patch.object(nbbase, "validate", lambda node, ref=None: None),
        ):
            yield
    finally:
        for each in engines.values():
            each.dispose()
