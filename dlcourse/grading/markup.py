"""Pieces of a page, with everything that comes from people or files escaped."""

from collections.abc import Iterable
from html import escape


def code(name: str) -> str:
    return f"<code>{escape(name)}</code>"


def hint(text: str) -> str:
    """A hint as HTML: what stands between backticks is code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))


def people(students: list[str]) -> str:
    """Who: by name where they are few, else in a fold."""
    names = escape(", ".join(students))
    if len(students) <= 3:
        return names
    return f"<details><summary>{len(students)} students</summary>{names}</details>"


def facts(of: dict[str, str]) -> str:
    return "".join(f"<div><dt>{k}</dt><dd>{escape(v)}</dd></div>" for k, v in of.items())


def items(of: Iterable[str]) -> str:
    """A list of texts; nothing without any."""
    return _list(map(escape, of))


def about(reasons: dict[str, str] | dict[str, list[str]]) -> str:
    """A list of students, and what there is to say about each."""
    rows = []
    for student, why in reasons.items():
        text = escape(why) if isinstance(why, str) else "<br>".join(map(escape, why))
        rows.append(f"<b>{escape(student)}</b>: {text}")
    return _list(rows)


def _list(rows: Iterable[str]) -> str:
    inner = "".join(f"<li>{row}</li>" for row in rows)
    return f"<ul>{inner}</ul>" if inner else ""


def section(title: str, body: str, note: str = "", kind: str = "") -> str:
    """A section of the page; nothing where its body is empty."""
    if not body:
        return ""
    opened = f'<section class="{kind}">' if kind else "<section>"
    said = f'<p class="note">{note}</p>' if note else ""
    return f"{opened}<h2>{title}</h2>{said}{body}</section>"


def table(head: list[str], rows: list[list[str]], cards: bool = False, first: int = 0) -> str:
    """A table; nothing without rows. Heads and cells are HTML already.

    With ``cards`` each row becomes a card on a phone, and cells name their column. What comes after
    the ``first`` rows is in a fold.
    """
    if not rows:
        return ""
    if first and len(rows) > first:
        fold = table(head, rows[first:], cards)
        more = f"<details><summary>{len(rows) - first} more</summary>{fold}</details>"
        return table(head, rows[:first], cards) + more
    body = "".join(
        "<tr>"
        + "".join(f'<td data-of="{h}"><div>{c}</div></td>' for h, c in zip(head, row, strict=True))
        + "</tr>"
        for row in rows
    )
    heads = "".join(f'<th scope="col">{h}</th>' for h in head)
    kind = ' class="cards"' if cards else ""
    return f"<table{kind}><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
