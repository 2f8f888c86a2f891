"""Submissions with one thing wrong each: what learners do to a sheet, by accident or not.

A change gets the notebook, its cells by id, and the name of the first exercise.
"""

import copy


def before(code):
    """The right answer, and ``code`` ahead of it in the same cell."""

    def change(notebook, cells, name):
        cells[name].source = code.format(name=name) + "\n" + cells[name].source

    return change


def after(code):
    def change(notebook, cells, name):
        cells[name].source += "\n" + code.format(name=name)

    return change


def without(*ids):
    def change(notebook, cells, name):
        gone = {cell_id.format(name=name) for cell_id in ids}
        notebook.cells = [cell for cell in notebook.cells if cell.id not in gone]

    return change


def nothing(notebook, cells, name):
    pass


def edited_check(notebook, cells, name):
    cells[f"{name}_check"].source = "3.0"
    cells[f"{name}_check"].metadata.nbgrader.points = 99
    cells["setup"].source = "check = print"


def all_locked_deleted(notebook, cells, name):
    notebook.cells = [
        cell for cell in notebook.cells if not cell.metadata.get("nbgrader", {}).get("locked")
    ]


def no_metadata(notebook, cells, name):
    """As some tools save it: nothing says which cell is which."""
    for cell in notebook.cells:
        cell.metadata = {}


def duplicated(notebook, cells, name):
    """Solution and check once more at the end, the copy of the solution an older, wrong one."""
    for kind in (name, f"{name}_check"):
        twin = copy.deepcopy(cells[kind])
        twin.id += "-2"
        if kind == name:
            twin.source = f"{name}_first = None"
        notebook.cells.append(twin)


def moved_check(notebook, cells, name):
    notebook.cells.remove(cells[f"{name}_check"])
    notebook.cells.insert(0, cells[f"{name}_check"])


LOUD = """
import sys, warnings, os
_quiet = {name}
def {name}(*args):
    warnings.warn("careful")
    print("hello", file=sys.stderr)
    os.write(2, b"hello")
    print("and hello")
    return _quiet(*args)
"""
DISPLAYHOOK = """
import sys
_right = {name}
def {name}(*args):
    sys.displayhook(99)
    return _right(*args)
"""

NOTEBOOKS = {
    # right answers that keep all their points
    "solution": nothing,
    "warns": after(LOUD),
    "precision": before("%precision 2"),
    "edited-check": edited_check,
    "deleted-check": without("{name}_check"),
    "deleted-pair": without("{name}_check", "setup"),
    "deleted-locked": all_locked_deleted,
    "no-metadata": no_metadata,
    "duplicated": duplicated,
    "moved-check": moved_check,
    # the first exercise is worth nothing
    "deleted-solution": without("{name}"),
    "raises": after("{name} = None"),
    "loop": before("while True: pass"),
    "redefined": after("check = lambda *a: None"),
    "forged": after("check = lambda *a: 2.0"),
    "displayhook": after(DISPLAYHOOK),
    "no-display": after("get_ipython().ast_node_interactivity = 'none'"),
    # no grade at all
    "dies": after("import os; os._exit(1)"),
}
NO_NOTEBOOKS = {
    "not-json": b"{ this is not JSON",
    "empty": b"",
    "a-list": b"[1, 2]",
    "no-cells": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    "utf-16": "{}".encode("utf-16"),
    "old-format": b'{"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []}',
}
