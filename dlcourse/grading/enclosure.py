"""What a sandbox holds: the interpreter, the packages a sheet needs, and a little of this course.

An allow-list. A solution can't read, import or find what isn't there: the units' descriptions, the
reference implementations, and whatever the sheet forbids.
"""

import ast
import importlib.metadata
import shutil
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
# of our own package, beside `data` and `plots`: what the process with the learner's code runs on
OURS = [
    "dlcourse/__init__.py",
    "dlcourse/checks/core/__init__.py",
    "dlcourse/checks/core/observing.py",
    "dlcourse/checks/core/shipping.py",
    "dlcourse/checks/core/values.py",
    "dlcourse/grading/__init__.py",
    "dlcourse/grading/asserts.py",
    "dlcourse/grading/guard.py",
    "dlcourse/grading/hooks.py",
    "dlcourse/grading/limits.py",
    "dlcourse/grading/outputs.py",
    "dlcourse/grading/seeing.py",
    "dlcourse/grading/wire.py",
    "dlcourse/grading/worker.py",
    "dlcourse/grading/zygote.py",
]
CLIENT = ROOT / "dlcourse/grading/client.py"  # is `dlcourse.checks` there


def course(into: Path, forbids: Iterable[str], sheet_imports: Iterable[str] = ()) -> None:
    """A copy of this package for one sheet. ``sheet_imports`` are the modules its own cells use.

    A sheet that forbids all of ``dlcourse`` still gets the modules that it imports itself.
    """
    banned = {name for name in forbids if name.partition(".")[0] == "dlcourse"}
    given = _closure(sheet_imports) if "dlcourse" in banned else None
    for path in [*OURS, *_modules("data"), "dlcourse/plots.py"]:
        name = ".".join(Path(path).with_suffix("").parts).removesuffix(".__init__")
        if path not in OURS:
            if given is not None and name not in given:
                continue
            if any(_within(name, each) for each in banned - {"dlcourse"}):
                continue
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
    shutil.copyfile(CLIENT, into / "dlcourse/checks/__init__.py")
    version = importlib.metadata.version("dlcourse")
    about = into / f"dlcourse-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dlcourse\nVersion: {version}\n")


def _modules(package: str) -> list[str]:
    return sorted(str(p.relative_to(ROOT)) for p in (ROOT / "dlcourse" / package).glob("*.py"))


def _within(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")


def _closure(names: Iterable[str]) -> set[str]:
    """The modules of ours among ``names``, and those of ours that they import."""
    todo, seen = [*names], set()
    while todo:
        name = todo.pop()
        base = ROOT.joinpath(*name.split("."))
        path = next(
            (p for p in (base.with_suffix(".py"), base / "__init__.py") if p.exists()), None
        )
        if path is None or name in seen or not _within(name, "dlcourse"):
            continue
        seen.add(name)
        todo += [name.rpartition(".")[0] or name, *imported(path.read_text("utf8"))]
    return seen


def behind_data(sheet_imports: Iterable[str]) -> list[str]:
    """The packages that a sheet's data sets are read with: half a second to import, each time."""
    ours = _closure(name for name in sheet_imports if _within(name, "dlcourse.data"))
    paths = [ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in ours]
    sources = [path.read_text("utf8") for path in paths if path.exists()]
    named = {name.partition(".")[0] for source in sources for name in imported(source)}
    return sorted(named - sys.stdlib_module_names - {"dlcourse"})


def imported(source: str) -> set[str]:
    """The modules that a source names in its imports, as far as it can be read."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return set()
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


# Packages -----------------------------------------------------------------------


def packages(
    extras: Iterable[str], forbids: Iterable[str], more: Iterable[str] = ()
) -> dict[str, Path]:
    """Top-level files and folders of the distributions needed, by name, without forbidden ones.

    ``more`` are distributions that a sheet of the instructor's own needs.
    """
    banned = {name for name in forbids if "." not in name}
    roots = [
        "ipython",
        "matplotlib-inline",
        *_required("dlcourse", ("", *extras)),
        *more,
    ]
    found: dict[str, Path] = {}
    todo, seen = roots, set()
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name in seen or name == "dlcourse":
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for top in _tops(distribution):
            if top not in ("..", "__pycache__") and not top.endswith((".pth", ".egg-link")):
                found.setdefault(top, Path(str(distribution.locate_file(top))))
        todo += _required(name, ("",))
    return {
        top: path
        for top, path in sorted(found.items())
        if top.removesuffix(".py") not in banned and path.exists()
    }


def _tops(distribution: importlib.metadata.Distribution) -> list[str]:
    """What a distribution has installed at the top, in its order; torch lists 10,000 files."""
    record = distribution.read_text("RECORD")
    if record is None:  # installed in another way
        return list(dict.fromkeys(file.parts[0] for file in distribution.files or ()))
    paths = (line.strip('"').partition(",")[0] for line in record.splitlines())
    return list(dict.fromkeys(path.partition("/")[0] for path in paths))


def distributions(modules: Iterable[str]) -> list[str]:
    """The distributions installed here that have these modules."""
    tops = {name.partition(".")[0] for name in modules} - {"dlcourse"} - sys.stdlib_module_names
    owners = importlib.metadata.packages_distributions() if tops else {}
    return sorted({owner for top in tops for owner in owners.get(top, ())})


def _required(name: str, extras: Iterable[str]) -> Iterator[str]:
    try:
        asked = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for line in asked:
        need = Requirement(line)
        if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in extras):
            yield need.name


def interpreter() -> list[Path]:
    """What Python itself needs: its program, its library, the system's shared libraries."""
    base = Path(sys.base_prefix)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    wanted = [
        executable(),
        base / "lib" / version,
        *base.glob("lib/libpython*"),
        *([Path("/usr/lib", multiarch)] if multiarch else []),
        Path("/usr/lib64"),
        Path("/etc/ld.so.cache"),
        Path("/etc/fonts"),
    ]
    return [path for path in wanted if path.exists()]


def executable() -> Path:
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def standard_library() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def masked(forbids: Iterable[str]) -> list[Path]:
    """Files of the standard library that a sheet forbids, compiled ones too."""
    library = standard_library()
    found: list[Path] = []
    for name in forbids:
        if "." not in name and name in sys.stdlib_module_names:
            found += [library / f"{name}.py", *library.glob(f"__pycache__/{name}.*.pyc")]
    return [path for path in found if path.exists()]
