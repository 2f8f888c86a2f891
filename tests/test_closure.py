import pytest

from dlcourse import closure as module
from dlcourse.closure import closure, digest, imported, without_words


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package in which ``a`` needs ``b`` needs ``sub.c``; nothing needs ``alone``."""
    files = {
        "__init__.py": "",
        "a.py": "import numpy\nfrom course.b import f\n",
        "b.py": "def f():\n    from .sub import c\n    return c\n",
        "alone.py": "import course.a\n",
        "sub/__init__.py": "from . import d\n",
        "sub/c.py": "from ..circular import x\n",
        "sub/d.py": "",
        "circular.py": "import course.a\nx = 1\n",
    }
    for name, text in files.items():
        path = tmp_path / "course" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "PACKAGE", "course")
    module._everything.cache_clear()
    module._parsed.cache_clear()
    yield tmp_path / "course"
    module._everything.cache_clear()
    module._parsed.cache_clear()


def names_of(paths, folder):
    return [path.relative_to(folder).as_posix() for path in paths]


def test_closure_follows_relative_nested_and_circular_imports(package):
    expected = ["__init__.py", "a.py", "b.py", "circular.py"]
    expected += ["sub/__init__.py", "sub/c.py", "sub/d.py"]
    assert names_of(closure(["course.a"]), package) == expected


def test_closure_of_a_leaf_is_itself_and_its_parents(package):
    assert names_of(closure(["course.sub.d"]), package) == [
        "__init__.py",
        "sub/__init__.py",
        "sub/d.py",
    ]


def test_other_packages_and_missing_modules_are_passed_over(package):
    assert names_of(closure(["numpy", "course.gone"]), package) == ["__init__.py"]


def test_one_name_instead_of_several_is_refused(package):
    with pytest.raises(ValueError, match=r"\['course.a'\]"):
        closure("course.a")


def test_imported_sees_both_forms_and_resolves_dots():
    code = "import a.b as x\nfrom .c import d\nfrom .. import e"
    assert imported(code, "p.q") == {"a.b", "p.q.c", "p.q.c.d", "p", "p.e"}


def test_code_that_does_not_parse_needs_everything(package):
    assert names_of(closure(imported("x = !ls", "")), package) == sorted(
        path.relative_to(package).as_posix() for path in package.rglob("*.py")
    )


def test_digest_changes_with_what_is_used_and_with_nothing_else(package):
    before = digest(["course.a"])
    (package / "alone.py").write_text("changed = True\n")
    assert digest(["course.a"]) == before
    (package / "sub" / "c.py").write_text("from ..circular import x\nchanged = True\n")
    assert digest(["course.a"]) != before


def test_digest_ignores_what_is_only_said(package):
    path = package / "b.py"
    path.write_text("x = 1\n")
    before = digest(["course.b"])
    path.write_text("# why\nx = 1  # a number, 1\n")
    assert digest(["course.b"]) == before
    path.write_text('x = "# no comment"\n')
    assert digest(["course.b"]) != before


def test_words_are_taken_out_and_code_stays():
    code = '''"""What it is for, and "why"."""

class A:
    """Ä.

    More.
    """

    def f(self):  # says
        """One."""
        # alone
        text = """not # a

        docstring"""
        return text  # "this"

    async def g(self): "short"; return 1
'''
    assert (
        without_words(code)
        == '''...

class A:
    ...

    def f(self):
        ...
        text = """not # a

        docstring"""
        return text

    async def g(self): ...; return 1
'''
    )
    assert without_words("x = !ls # what") == "x = !ls # what"


def test_digest_changes_when_a_file_moves_or_text_moves_between_files(package):
    extra = package.parent / "one.txt", package.parent / "two.txt"
    extra[0].write_text("ab")
    extra[1].write_text("c")
    before = digest([], extra)
    assert digest([], reversed(extra)) == before
    extra[0].write_text("a")
    extra[1].write_text("bc")
    assert digest([], extra) != before
    extra[0].write_text("ab")
    extra[1].write_text("c")
    assert digest([], [extra[0], extra[1].rename(package.parent / "three.txt")]) != before


def test_digest_ignores_line_ends(package):
    before = digest(["course.b"])
    path = package / "b.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert digest(["course.b"]) == before


def test_a_missing_extra_file_is_named(package):
    with pytest.raises(ValueError, match="constraints.txt"):
        digest([], [package / "constraints.txt"])


def test_this_package_is_found():
    assert [path.name for path in closure(["dlcourse.closure"])] == ["__init__.py", "closure.py"]


def test_a_data_set_depends_on_no_other_data_set():
    """Else a new one would make every recorded run stale and every chapter run again."""
    files = {path.name for path in closure(["dlcourse.data.penguins"])}
    assert "penguins.py" in files and "mnist.py" not in files
