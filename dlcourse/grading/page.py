"""The report as one page that needs nothing else: no script, no other file, no network."""

from html import escape
from importlib import resources
from string import Template
from typing import Any

from dlcourse.grading.charts import histogram, share, strip
from dlcourse.grading.inventory import in_words
from dlcourse.grading.markup import about, code, facts, hint, items, people, section, table
from dlcourse.grading.record import UNKNOWN

PHASES = {
    "start": "start",
    "cells": "cells",
    "checks": "checks",
    "total": "in all",
    "worker": "as the grader waited",
}


def page(data: dict[str, Any]) -> str:
    """The report as HTML; ``data`` is :func:`dlcourse.grading.tally.tally`'s."""
    frame = resources.files("dlcourse.grading").joinpath("report.html").read_text("utf-8")
    body = [
        section("Read this first", items(data["warnings"]), kind="failed"),
        section("Not graded", about(data["not_graded"]), kind="failed"),
        _points(data),
        _exercises(data),
        _parts(data),
        _mistakes(data),
        _inventory(data["inventory"]),
        _to_look_at(data),
        _how(data),
        _students(data),
    ]
    return Template(frame).substitute(
        slug=escape(data["slug"]), facts=_facts(data), body="\n".join(filter(None, body))
    )


def _facts(data: dict[str, Any]) -> str:
    scores = data["automatic"]
    return facts(
        {
            "students graded": str(scores["students"]),
            "mean, automatic": f"{scores['mean']:.1f} of {data['automatic_max']:g}",
            "median, automatic": f"{scores['median']:g}",
            "answers to be marked": str(sum(s["to_be_graded"] for s in data["students"])),
            "not graded": str(len(data["not_graded"])),
        }
    )


def _points(data: dict[str, Any]) -> str:
    plots = histogram(data["automatic"], "automatic") + histogram(data["written"], "written")
    note = "Each bar takes its lower edge in, the last one also full marks; dashed: the median."
    if data["questions"]:
        marked = data["written"]["students"]
        note += (
            f" Written points of those {marked} whose every answer is marked."
            if marked
            else " No student's written answers are all marked yet, so these have no plot."
        )
    return section("Points", f'<div class="plots">{plots}</div>', note)


def _exercises(data: dict[str, Any]) -> str:
    rows = [_item(item, "") for item in data["exercises"]]
    for item in data["questions"]:
        rows.append(_item(item, f"written, {item['marked']} marked"))
    chance = data["by_chance"]
    note = (
        "Share of points: what the class earned of what there was. Discrimination: how an item's "
        "points go with the automatic points of all the others, from −1 to 1. Below 0.2, by rule "
        "of thumb, it says little about who has learned what; below 0, look at the item first. "
    )
    note += (
        "It needs ten students, and that not all have equal points."
        if chance is None
        else f"Among {len(data['students'])} students chance alone reaches ±{chance:.2f}."
    )
    head = ["Exercise", "Mean", "Share of points", "Discrimination"]
    return section("Exercises", table(head, rows, cards=True), note)


def _item(item: dict[str, Any], said: str) -> list[str]:
    mean = "–" if item["mean"] is None else f"{item['mean']:.1f} of {item['of']:g}"
    name = code(item["name"]) + (f"<br><small>{said}</small>" if said else "")
    return [name, mean, share(item["difficulty"]), strip(item["discrimination"])]


def _parts(data: dict[str, Any]) -> str:
    rows = [
        [code(e["exercise"]), escape(e["part"]), share(e["lost"], "lost"), str(e["students"])]
        for e in data["parts_lost"]
    ]
    head = ["Exercise", "Part", "Lost by", "Students"]
    return section("Parts lost most", table(head, rows, cards=True, first=8))


def _mistakes(data: dict[str, Any]) -> str:
    rows = [
        [
            str(m["count"]),
            f"{code(m['exercise'])}<br>{escape(m['mistake'].replace('_', ' '))}",
            hint(m["hint"]),
            people(m["students"]),
        ]
        for m in data["mistakes"]
    ]
    made = table(["Made", "Mistake", "Hint that they get", "Who"], rows, cards=True, first=10)
    note = "Recognised by the checks: what to talk about next time."
    return section("Mistakes the class made", made or "<p>No known mistake was made.</p>", note)


def _inventory(data: dict[str, Any] | None) -> str:
    if data is None:
        return ""
    title = "Before and after"
    if "needs" in data:
        return section(title, f"<p>{escape(data['needs'])}</p>")
    gain = data["gain"]
    number = "–" if gain is None else f"{gain:.2f}".replace("-", "−")
    head = facts(
        {
            "students, both times": str(data["students"]),
            "right before": f"{data['before']:.0%}",
            "right after": f"{data['after']:.0%}",
            "normalised gain": f"{number} ({in_words(gain)})",
        }
    )
    rows = [
        [code(name), share(each["before"]), share(each["after"])]
        for name, each in data["questions"].items()
    ]
    beliefs = [
        [escape(name.replace("_", " ")), str(each["before"]), str(each["after"])]
        for name, each in data["beliefs"].items()
    ]
    note = (
        "The normalised gain is (after − before) / (1 − before), of the class's mean shares: "
        "R. R. Hake, American Journal of Physics 66 (1998), 64–74, who calls it high from 0.7, "
        "medium from 0.3."
    )
    body = (
        f"<dl>{head}</dl>"
        + table(["Question", "Right before", "Right after"], rows, cards=True, first=10)
        + table(["Misconception", "Before", "After"], beliefs, cards=True, first=10)
    )
    return section(title, body, note)


def _to_look_at(data: dict[str, Any]) -> str:
    """What a person should see: nothing here has cost points by itself."""
    same = {name: people(students) for name, students in data["same_process"].items()}
    pieces = []
    for key, title in (("flags", "Flagged"), ("stopped", "Not all was run")):
        if data[key]:
            pieces.append(f"<h3>{title}</h3>{about(data[key])}")
    if same:
        rows = [[code(name), who] for name, who in same.items()]
        pieces.append(
            "<h3>Judged in the process that ran the learner's code</h3>"
            + table(["Graded cell", "Of whom"], rows, cards=True)
        )
    if data["repaired"]:
        pieces.append(
            f"<details><summary>Repaired before grading: {len(data['repaired'])}</summary>"
            f"{about(data['repaired'])}</details>"
        )
    return section("To look at", "".join(pieces))


def _how(data: dict[str, Any]) -> str:
    levels = [f"{level} ({len(students)})" for level, students in data["isolation"].items()]
    said = {
        "Isolation": ", ".join(levels),
        "Fingerprint of the secret": ", ".join(data["seeds"]),
        "Version of the course's code": ", ".join(data["code"]),
        "Version of the sheet": ", ".join(data["sheets"]),
        "Graded": " to ".join(dict.fromkeys(_moment(data[k]) for k in ("first", "last"))),
        "By": ", ".join(data["graded_by"]),
    }
    said = {key: value or UNKNOWN for key, value in said.items()}
    seconds = [
        [PHASES[phase], f"{took['median']:.2f}", f"{took['worst']:.2f}", escape(took["whose"])]
        for phase, took in data["seconds"].items()
    ]
    head = ["Seconds", "Median", "Worst", "Whose"]
    return section("How it was graded", about(said) + table(head, seconds))


def _moment(when: str) -> str:
    """2026-01-15T12:00:00+00:00 for people."""
    return when[:16].replace("T", " ") + (" UTC" if when.endswith("+00:00") else "")


def _students(data: dict[str, Any]) -> str:
    rows = []
    for student in data["students"]:
        pending = student["to_be_graded"]
        rows.append(
            [
                escape(student["student"]),
                f"{student['automatic']:g}",
                "–" if pending and not student["written"] else f"{student['written']:g}",
                f"<b>{pending}</b>" if pending else "",
                f"{student['total']:g}",
            ]
        )
    head = ["Student", "Automatic", "Written", "To be marked", "Total"]
    note = "A written answer counts 0 until a person has marked it."
    return section("Students", table(head, rows, first=60), note)
