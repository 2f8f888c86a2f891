"""A class of notebooks through nbgrader: release, grade, feedback, report, export."""

import sys

# nbformat checks notebooks with jsonschema, which where it finds this package compiles grammars of
# addresses when it is imported: seconds in each process, for formats that no notebook has.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # None: not to be imported
