"""The commands that take a class in and give it back: a dry run first, ``--write`` does it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

Slug = Annotated[str, typer.Argument(help="the unit, e.g. neurons")]
Root = Annotated[Path, typer.Option(help="the course's folder", show_default="this one")]
Write = Annotated[bool, typer.Option("--write", help="do it; without this nothing changes")]
console = Console()
DRY = "Nothing was changed. To do it, run this again with --write."


def roster(
    file: Annotated[Path, typer.Argument(help="Canvas's or Moodle's gradebook export, or a CSV")],
    id_column: Annotated[
        str | None, typer.Option("--id", help="the column that the students' ids come from")
    ] = None,
    write: Write = False,
    root: Root = Path("."),
) -> None:
    """Take the class's students from an LMS's export into the gradebook.

    Shows first what would change. Nobody is removed. Exits with 1 where an id is ambiguous.
    """
    from dlcourse.grading import roster

    plan = roster.plan(file, root, id_column)
    console.print(plan.table())
    console.print(
        f"{len(plan.new)} new, {len(plan.changed)} changed, {len(plan.same)} as before, "
        f"{len(plan.kept)} not in the file and kept, {len(plan.refused)} refused."
    )
    if plan.refused:
        typer.echo("Nothing was changed: settle first what is refused.", err=True)
        raise typer.Exit(1)
    if write:
        roster.write(plan, root)
    console.print("Written to the gradebook." if write else DRY)


def collect(
    slug: Slug,
    path: Annotated[Path, typer.Argument(help="a Canvas or Moodle zip, a folder, or the exchange")],
    write: Write = False,
    worksheet: Annotated[
        Path | None, typer.Option(help="Moodle's grading worksheet, where two share a name")
    ] = None,
    any_name: Annotated[
        bool, typer.Option("--any-name", help="take a student's only notebook, whatever its name")
    ] = False,
    max_mb: Annotated[float, typer.Option(min=0, help="the largest file that is accepted")] = 64,
    root: Root = Path("."),
) -> None:
    """Put submissions where they are graded, and keep every attempt as it was handed in.

    Shows first who matched what. Exits with 1 where a file is refused; the others are collected.
    """
    from dlcourse.grading import collect

    plan = collect.plan(slug, path, root, worksheet, any_name, round(max_mb * 2**20))
    console.print(plan.table())
    console.print(plan.summary())
    if write:
        collect.write(plan)
    console.print("Collected." if write else DRY)
    if plan.refused:
        raise typer.Exit(1)


def give_back(
    slug: Slug,
    exchange: Annotated[
        Path | None, typer.Option(help="nbgrader's exchange, in place of a zip")
    ] = None,
    course: Annotated[str, typer.Option(help="the course's name in the exchange")] = "",
    out: Annotated[Path | None, typer.Option(help="the folder for the zip")] = None,
    root: Root = Path("."),
) -> None:
    """Pack the feedback pages for uploading to Canvas or Moodle, or release them to the exchange.

    Exits with 1 where somebody is left out.
    """
    from dlcourse.grading import returns

    if exchange is not None:
        count = returns.to_exchange(slug, root, exchange, course)
        console.print(f"{count} pages released to {exchange}.")
        return
    made = returns.give_back(slug, root, out)
    for kind, path in made.zips.items():
        console.print(f"{len(made.pages[kind])} pages for {kind.title()}: {path}")
    for student, why in made.left_out.items():
        console.print(f"[red]{student}[/red] is left out: {why}", highlight=False)
    if made.left_out:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command("roster")(roster)
    app.command("collect")(collect)
    app.command("return")(give_back)
