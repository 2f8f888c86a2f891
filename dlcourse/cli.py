"""The command line, ``dlcourse …``: thin, one function a command.

What a user can mend ends in a sentence and exit code 1, never in a traceback. Heavy imports happen
inside the commands, so that ``dlcourse --help`` is quick and a missing extra is said in words.
"""

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from dlcourse import __version__
from dlcourse.checks.core import matrix, registry
from dlcourse.grading import commands
from dlcourse.grading.errors import CourseError

app = typer.Typer(
    help="A deep learning course: check exercises, open the sheets, grade a class.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console()


def _chosen(url: str | None) -> None:
    """All that a command does is about this gradebook."""
    if url:
        from dlcourse.grading.course import CHOSEN

        CHOSEN.set(url)


Slug = Annotated[str, typer.Argument(help="the unit, e.g. neurons")]
SomeSlug = Annotated[str | None, typer.Argument(help="a unit; all of them if none is named")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
Out = Annotated[Path | None, typer.Option(help="where to write it")]
Workers = Annotated[
    int | None,
    typer.Option("-j", "--workers", min=1, help="processes", show_default="the processors here"),
]
Dask = Annotated[str | None, typer.Option(help="the address of a Dask scheduler, instead of -j")]
Isolation = Annotated[
    str, typer.Option(help="auto: the sandbox, or nothing; none: your own rights, for trusted code")
]
Database = Annotated[
    str | None,
    typer.Option(
        "--db",
        callback=_chosen,
        help="the gradebook's URL, e.g. postgresql://HOST/NAME",
        show_default="gradebook.db, or as in nbgrader_config.py",
    ),
]
Root = Annotated[Path, typer.Option(help="the course's folder", show_default="this one")]


def exercises(slug: str | None) -> list:
    """The exercises of a unit, or of all."""
    slugs = [slug] if slug else registry.units()
    return [e for s in slugs for e in registry.unit(s).exercises.values()]


@app.command()
def checks(slug: SomeSlug = None, as_json: AsJson = False) -> None:
    """List the exercises: points, minutes, and how many mistakes their checks know."""
    rows = [
        {
            "slug": e.slug,
            "name": e.name,
            "points": e.points,
            "minutes": e.minutes,
            "difficulty": e.difficulty,
            "parts": len(e.parts),
            "mistakes": len(e.mistakes),
            "alternatives": len(e.alternatives),
        }
        for e in exercises(slug)
    ]
    _print(rows, as_json)


def _verified(name: str, seeds: int) -> matrix.Row:
    return matrix.verify(registry.find(name), seeds)


@app.command()
def verify(
    slug: SomeSlug = None,
    seeds: Annotated[int, typer.Option(min=1, help="seeds of cases to try")] = 10,
    as_json: AsJson = False,
) -> None:
    """Check the checks: do they tell right from wrong, and recognise each mistake?

    Exits with 1 where a mistake keeps a part it should lose, loses another or isn't recognised,
    where an alternative loses anything, or where the untouched stub earns a point.
    """
    names = [e.name for e in exercises(slug)]
    if seeds < 10:  # not worth the seconds in which processes start
        rows = [_verified(name, seeds) for name in names]
    else:
        with ProcessPoolExecutor() as pool:
            rows = list(pool.map(_verified, names, repeat(seeds)))
    _print([row.data() for row in rows], as_json)
    for row in rows:
        for fault in row.faults:
            typer.echo(f"{row.slug}/{row.name}: {fault}", err=True)
    if any(row.faults for row in rows):
        raise typer.Exit(1)


@app.command()
def lab(
    folder: Annotated[Path, typer.Argument(help="where your sheets are kept")] = Path(
        "dlcourse-sheets"
    ),
    browser: Annotated[bool, typer.Option(help="open a browser window")] = True,
) -> None:
    """Open the exercise sheets in JupyterLab. Sheets you already have stay as you left them."""
    from dlcourse import sheets

    sheets.open_lab(folder, browser=browser, console=console)


@app.command("sheets")
def make_sheets(
    slug: SomeSlug = None,
    out: Annotated[Path, typer.Option(help="the folder to write to")] = Path("exercises"),
    root: Root = Path("."),
) -> None:
    """Generate the learners' sheets from solutions/, without any gradebook (for authors)."""
    from dlcourse.grading.convert import convert
    from dlcourse.grading.release import regenerate

    for each in [slug] if slug else registry.units():
        convert(each, root)
        console.print(f"Generated: {regenerate(each, out, root)}")


@app.command()
def release(slug: Slug, db: Database = None, root: Root = Path(".")) -> None:
    """Build a sheet for learners from solutions/, and register it in the gradebook."""
    from dlcourse.grading.release import release

    console.print(f"Released: {release(slug, root)}")


@app.command()
def grade(
    slug: Slug,
    student: Annotated[str | None, typer.Option(help="one student; all if none is named")] = None,
    workers: Workers = None,
    dask: Dask = None,
    isolation: Isolation = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="skip what is done already")] = False,
    max_mb: Annotated[float, typer.Option(min=0, help="the largest file that is accepted")] = 64,
    db: Database = None,
    root: Root = Path("."),
) -> None:
    """Grade the sheets in submitted/. One broken notebook never stops the class.

    Exits with 1 where a submission could not be graded; the others are. Ctrl-C, and any other end,
    leaves a state from which --resume goes on.
    """
    from dlcourse.grading.backends import ready

    backend = ready(slug, root, isolation, workers, dask)
    from dlcourse.grading.grade import grade, summary

    result = grade(
        slug,
        root,
        student,
        console,
        isolation=isolation,
        resume=resume,
        backend=backend,
        max_bytes=round(max_mb * 2**20),
    )
    console.print(summary(result))
    if not result.ok:
        raise typer.Exit(1)


@app.command()
def regrade(
    slug: Slug,
    student: Annotated[str | None, typer.Option(help="one student; all if none is named")] = None,
    workers: Workers = None,
    dask: Dask = None,
    isolation: Isolation = "auto",
    yes: Annotated[bool, typer.Option("--yes", help="write without asking")] = False,
    steady: Annotated[
        bool, typer.Option("--determinism", help="only try the checks on two other secrets")
    ] = False,
    db: Database = None,
    root: Root = Path("."),
) -> None:
    """Grade anew: shows what would change in the scores, and writes it after a yes."""
    from dlcourse.grading.backends import ready

    backend = ready(slug, root, isolation, workers, dask)
    from dlcourse.grading import regrade as again

    if steady:
        unsteady = again.determinism(
            slug, root, student, console, isolation=isolation, backend=backend
        )
        for each in unsteady:
            typer.echo(f"{each.student}: {each.exercise}/{each.part} depends on the secret")
        console.print(f"{len(unsteady)} parts whose verdict changed between two secrets.")
        raise typer.Exit(bool(unsteady))

    def agreed(difference: again.Difference) -> bool:
        console.print(again.table(difference))
        if not difference.changes:
            return False
        return yes or typer.confirm("Write these?")

    difference = again.regrade(
        slug, root, student, console, isolation=isolation, backend=backend, agreed=agreed
    )
    if not difference.graded:
        console.print(again.table(difference))
    elif not difference.changes:
        console.print(f"{difference.graded} graded anew: no score changes.")
    console.print("Written." if difference.written else "Nothing was written.")
    if difference.failed:
        raise typer.Exit(1)


@app.command()
def feedback(
    slug: Slug,
    outputs: Annotated[
        bool, typer.Option(help="show what cells displayed; a learner's may tell hidden inputs")
    ] = True,
    db: Database = None,
    root: Root = Path("."),
) -> None:
    """Write a page of feedback for each graded sheet: points, parts, comments, and hints.

    Nothing in a page runs or is fetched. Hidden cases and mark schemes aren't in it.
    """
    from dlcourse.grading.feedback import feedback

    pages = feedback(slug, root, outputs)
    console.print(f"{len(pages)} pages under {Path(root) / 'feedback'}")


@app.command()
def report(
    slug: Slug,
    html: Annotated[bool, typer.Option("--html", help="a page, and its JSON: the default")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the same as data")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="its items as a table")] = False,
    before: Annotated[
        Path | None, typer.Option(help="where this class took the same inventory before the part")
    ] = None,
    out: Out = None,
    db: Database = None,
    root: Root = Path("."),
) -> None:
    """Write the report on the class: points, exercises, mistakes, and how it was graded."""
    from dlcourse.grading.report import report

    if html + as_json + csv > 1:
        raise CourseError("Choose one of --html, --json and --csv.")
    form = "json" if as_json else "csv" if csv else "html"
    console.print(f"Report: {report(slug, root, out=out, form=form, before=before)}")


@app.command()
def export(
    slug: Slug,
    csv: Annotated[bool, typer.Option("--csv", help="our own table, which is the default")] = False,
    canvas: Annotated[bool, typer.Option("--canvas", help="for Canvas's gradebook import")] = False,
    moodle: Annotated[bool, typer.Option("--moodle", help="for Moodle's grade import")] = False,
    column: Annotated[str | None, typer.Option(help="what the LMS calls the assignment")] = None,
    worksheet: Annotated[
        Path | None, typer.Option(help="Moodle's grading worksheet, to be filled in")
    ] = None,
    out: Out = None,
    db: Database = None,
    root: Root = Path("."),
) -> None:
    """Write the scores: automatic, written, still to be graded; or the total for an LMS.

    What isn't graded stays empty. For Canvas, --column is best "Title (number)", as its own export
    has it: by the number it finds the assignment.
    """
    from dlcourse.grading.export import export

    if csv + canvas + (moodle or worksheet is not None) > 1:
        raise CourseError("Choose one of --csv, --canvas and --moodle.")
    form = "canvas" if canvas else "moodle" if moodle or worksheet else "csv"
    path = export(slug, root, out=out, form=form, column=column, worksheet=worksheet)
    console.print(f"Scores: {path}")


@app.command("sample-class")
def sample_class(
    slug: Slug,
    n: Annotated[int, typer.Option("-n", min=3, help="students")] = 20,
    root: Root = Path("."),
) -> None:
    """Make, grade and report a class whose right grades are known, in build/sample/.

    Exits with 1 if a grade isn't what its making implies.
    """
    from dlcourse.grading.grade import summary
    from dlcourse.grading.sample import sample

    made = sample(slug, n, root, console=console)
    console.print(summary(made.result))
    for difference in made.differences:
        typer.echo(difference, err=True)
    if made.differences:
        raise typer.Exit(1)
    console.print(f"Every grade is what its making implies. Report: {made.report}")


@app.command()
def doctor(root: Root = Path(".")) -> None:
    """Say what is missing on this machine, and how to get it."""
    from dlcourse.grading.doctor import doctor, table, well

    rows = doctor(root)
    console.print(table(rows))
    if not well(rows):
        raise typer.Exit(1)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="say which")] = False) -> None:
    if version:
        typer.echo(f"dlcourse {__version__}")
        raise typer.Exit


commands.register(app)

SHORT = {  # so that a table fits 80 columns
    "difficulty": "level",
    "alternatives": "altern.",
    "alternatives_accepted": "altern._accepted",
    "mistakes_recognised": "mistakes_recogn.",
    "stub_points": "stub",
}


def _print(rows: list[dict], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    for column in rows[0] if rows else ():
        number = isinstance(rows[0][column], int)
        justify: Any = "right" if number else "left"
        table.add_column(
            SHORT.get(column, column).replace("_", "\n"), justify=justify, no_wrap=True
        )
    for row in rows:
        table.add_row(*map(str, row.values()))
    console.print(table)


def main() -> None:
    """Run the command line; what a user can mend is one sentence and exit code 1."""
    # nbgrader starts `alembic` and Jupyter by bare name: find those beside this Python
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        app()
    except (CourseError, registry.UnknownExercise) as error:
        sys.exit(f"{error}")
    except ImportError as error:
        sys.exit(_extra(error))
    except OSError as error:
        sys.exit(f"{error.strerror or error}: {error.filename or ''}".rstrip(": "))


EXTRAS = {"jupyterlab": "lab", "nbgrader": "grading", "jupytext": "grading", "torch": "torch"}


def _extra(error: ImportError) -> str:
    """Which extra brings what is missing."""
    module = (error.name or "").partition(".")[0]
    if module in EXTRAS:
        return f'{module} is missing. Install it with: pip install "dlcourse[{EXTRAS[module]}]"'
    return str(error)


if __name__ == "__main__":
    main()
