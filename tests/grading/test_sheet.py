import pytest

from dlcourse.grading.errors import SheetError
from dlcourse.grading.sheet import read, verify

from .conftest import TINY


def refuse(source, unit):
    verify(read(source, "solutions/tiny.py"), "solutions/tiny.py", unit)


def test_a_good_sheet_passes(tiny):
    refuse(TINY, tiny)


def line_of(text, source):
    return source[: source.index(text)].count("\n") + 1


CHECK = 'check("twice", twice)'
REFUSED = {
    "unknown role": ('role="given"', 'role="gift"', "unknown role 'gift'"),
    "unknown exercise": (
        'role="check" grade_id="twice"',
        'role="check" grade_id="thrice"',
        "thrice",
    ),
    "unknown question": (
        'role="answer" grade_id="reason"',
        'role="answer" grade_id="rain"',
        "unknown question 'rain'",
    ),
    "unknown header": ('# %% role="given"', '# %% points=3 role="given"', "unknown in a cell's"),
    "a title in a header": ('# %% role="given"', '# %% Given role="given"', "unknown in a cell's"),
    "role without name": ('role="given" grade_id="broken"', 'role="given"', "needs a grade_id"),
    "name without role": ('role="given" grade_id="broken"', 'grade_id="broken"', "without a role"),
    "check with a semicolon": (CHECK, CHECK + ";", "exactly one line"),
    "check with an assignment": (CHECK, "ok = " + CHECK, "exactly one line"),
    "check with a second line": (CHECK, CHECK + "\nprint()", "exactly one line"),
    "check of another name": (CHECK, 'check("twice", broken)', "exactly one line"),
    "no begin marker": ("    ### BEGIN SOLUTION\n", "", "needs one"),
    "no end marker": ("    ### END SOLUTION\n", "", "needs one"),
    "two solutions in a cell": (
        "    return x + x\n",
        "    ### END SOLUTION\n    ### BEGIN SOLUTION\n",
        "needs one",
    ),
    "marker in a given cell": ("    return x * x", "    ### BEGIN SOLUTION", "doesn't belong"),
    "marker in a plain cell": ("broken(3)", "### END SOLUTION", "without a role"),
    "mark scheme in a statement": ("# Write", "# BEGIN MARK SCHEME", "doesn't belong"),
    "answer outside markers": ("# Because it", "# ### END SOLUTION\n# Because it", "needs one"),
    "answer before its marker": (
        "# ### BEGIN SOLUTION\n# Because",
        "# Because I say so.\n# ### BEGIN SOLUTION\n# Because",
        "outside",
    ),
    "statement without heading": ("# ## Twice", "# Twice", 'must start with "## "'),
    "no title": ("# # Tiny", "# Tiny", 'start with "# Title"'),
    "a directive": ("# Write `twice(x)`", "# ```{note}\n# ```\n# Write", "'```{note}' is MyST"),
    "a role of MyST": ("# Write `twice(x)`", "# See {cite}`rosenblatt`", "is MyST"),
    "code for Markdown": (
        '[markdown] role="answer"',
        'role="answer"',
        "'answer' must be Markdown",
    ),
    "an id that is taken": ('grade_id="broken"', 'grade_id="twice_check"', "is taken"),
    "an id of ours": ('grade_id="broken"', 'grade_id="setup"', "is taken"),
    "lacks its check": (f'# %% role="check" grade_id="twice"\n{CHECK}\n', "", "lacks its check"),
    "lacks a question": (
        '[markdown] role="question" grade_id="reason"',
        "[markdown]",
        "'reason' lacks its question",
    ),
}


@pytest.mark.parametrize("old, new, words", REFUSED.values(), ids=REFUSED)
def test_refused_with_file_and_line(tiny, old, new, words):
    assert TINY.count(old) == 1
    with pytest.raises(SheetError) as refused:
        refuse(TINY.replace(old, new), tiny)
    file, line, said = str(refused.value).split(":", 2)
    assert file == "solutions/tiny.py" and words in said
    # the line is that of a cell's header
    assert TINY.replace(old, new).splitlines()[int(line) - 1].startswith("# %%")


def test_a_second_cell_of_a_role_is_refused_with_both_lines(tiny):
    again = '\n# %% role="check" grade_id="twice"\ncheck("twice", twice)\n'
    first, second = line_of('role="check"', TINY), TINY.count("\n") + 2
    with pytest.raises(SheetError, match=f":{second}: a second check.* in line {first}"):
        refuse(TINY + again, tiny)


def test_cells_in_the_wrong_order_are_refused(tiny):
    check = '# %% role="check" grade_id="twice"\ncheck("twice", twice)\n'
    moved = TINY.replace(check, "").replace(
        '# %% [markdown] role="statement"', check + '# %% [markdown] role="statement"'
    )
    with pytest.raises(SheetError, match="in the order statement, solution, check"):
        refuse(moved, tiny)


def test_an_exercise_that_the_sheet_lacks_altogether_is_named(tiny):
    tiny.exercises["thrice"] = tiny.exercises["twice"]
    with pytest.raises(SheetError, match="'thrice' lacks its statement and its solution"):
        refuse(TINY, tiny)


@pytest.mark.parametrize("source", ["x = 1\n" + TINY, "x = 1\n", ""])
def test_text_before_the_first_cell_is_refused(tiny, source):
    with pytest.raises(SheetError, match=r"solutions/tiny.py:1: "):
        refuse(source, tiny)
