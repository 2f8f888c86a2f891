"""What the names of submitted files say: whose they are, which copy, and how to call the answer.

Canvas, "Download submissions" (what the zip holds is documented in Canvas's own source,
lib/content_zipper.rb, in the public repository instructure/canvas-lms; its guide only says to keep
the names): ``<sortable name, lower case, letters only>[_LATE]_<user>_<file>_<name of the file>``,
and ``anon_<id>_<file>_…`` where grading is anonymous. Of the files that come back Canvas takes the
first two numbers for user and file (infer_comment_context_from_filename, app/models/
abstract_assignment.rb) and attaches them under the name that the student's file had.

Moodle, "Download all submissions" (mod/assign/classes/downloader.php in moodle/moodle):
``<full name>_<participant>_assignsubmission_file`` is a folder, with ``_`` at its end before
Moodle 4.1, or, without "Download submissions in folders", the start of the file's name. The
participant's number is of this assignment only. Feedback comes back under the same names
(mod/assign/feedback/file/importziplib.php).

nbgrader's exchange: ``inbound/<user>+<assignment>+<time>[+<random>]/``.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath

CANVAS = re.compile(r"(?P<name>.+?)(?P<late>_LATE)?_(?P<user>\d+)_(?P<file>\d+)_(?P<rest>.+)")
ANONYMOUS = re.compile(r"anon_[^_]+_\d+_.+")
MOODLE = re.compile(
    r"(?P<name>[^_]+)_(?P<participant>\d+)_assignsubmission_(?P<plugin>[a-z]+)(?P<rest>_.*)?"
)
EXCHANGE = re.compile(r"(?P<user>.+)\+(?P<slug>[^+]+)\+(?P<time>\d{4}-\d\d-\d\d [^+]+?)(\+[^+]*)?")
# "ex (1)" of browsers, "ex-1" of Canvas, "ex-Copy1" of Jupyter, "ex copy 2" of macOS, "ex - Copy"
COPY = r"(?:[ _]?\((\d+)\)|-(\d+)|-Copy(\d+)|[ _]copy(?:[ _](\d+))?|[ _]-[ _]Copy)"


@dataclass(frozen=True)
class Name:
    """What a path says. ``key`` is the user, the participant's full name, or a student's id."""

    kind: str  # canvas, moodle, exchange or folder
    key: str
    file: str  # what the student called the file
    label: str  # how a person is shown who it is
    answer: str = ""  # how the LMS wants the feedback called, up to the file's own name
    late: bool = False
    order: int = 0  # Canvas's number of the file: a later upload has a greater one
    participant: str = ""
    time: str = ""


def read_name(path: str, known: set[str], slug: str) -> Name | str:
    """Whose the file at this path within a zip or a folder is, or why that can't be said."""
    parts = PurePosixPath(path).parts
    if not parts:
        return "it has no name."
    base = parts[-1]
    for n, part in enumerate(parts):
        last = n == len(parts) - 1
        if found := MOODLE.fullmatch(part):
            if found["plugin"] != "file" or (last and not (found["rest"] or "").strip("_")):
                return "it is no file that the student handed in, but Moodle's own page."
            file = base if not last else found["rest"][1:]
            # flat names go back flat, folders as folders
            start = part + "/" if not last else part[: len(part) - len(file)]
            name, number = found["name"], found["participant"]
            return Name("moodle", name, file, name, start, participant=number)
        if not last and (found := EXCHANGE.fullmatch(part)):
            if found["slug"] != slug:
                return f"it was handed in for '{found['slug']}'."
            user = found["user"]
            return Name("exchange", user, base, user, time=found["time"])
    if ANONYMOUS.fullmatch(base):
        return "Canvas grades anonymously here: reveal the names, then download again."
    if found := CANVAS.fullmatch(base):
        start = base[: len(base) - len(found["rest"])]
        late, order = bool(found["late"]), int(found["file"])
        return Name("canvas", found["user"], found["rest"], found["name"], start, late, order)
    folded = {one.casefold(): one for one in known}
    for part in reversed(parts[:-1]):
        if part.casefold() in folded:
            return Name("folder", folded[part.casefold()], base, part)
    if not known and len(parts) > 1:
        return Name("folder", parts[0], base, parts[0])
    return "its path names no student of the roster."


def copy_number(file: str, slug: str) -> tuple[int, ...] | None:
    """Which copy of the sheet's file a name says it is: () for the file itself, (1,) for
    ``ex (1).ipynb`` or ``ex-1.ipynb``, (2, 1) for ``ex (2)-1.ipynb``; None if it isn't one."""
    stem, dot, ending = unicodedata.normalize("NFC", file).rpartition(".")
    if ending.casefold() != "ipynb" or not dot:
        return None
    stem = re.sub(r"^Copy of ", "", stem.strip(), flags=re.IGNORECASE)
    start = re.compile(re.sub(r"[-_ ]", "[-_ ]", slug), re.IGNORECASE).match(stem)
    if not start:
        return None
    rest, numbers = stem[start.end() :], []
    while rest:
        step = re.compile(COPY, re.IGNORECASE).match(rest)
        if not step:
            return None
        numbers.append(int(next((group for group in step.groups() if group), "1")))
        rest = rest[step.end() :]
    return tuple(numbers)


def same_person(name: str) -> str:
    """A name as it is compared: letters and digits only, in lower case.

    Both systems drop characters from names: Canvas all but letters, Moodle those that a file's
    name can't have (clean_filename), an apostrophe among them.
    """
    return "".join(c for c in unicodedata.normalize("NFC", name).casefold() if c.isalnum())
