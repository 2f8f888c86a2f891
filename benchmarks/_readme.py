"""One README for all benchmarks: each renews its own section and leaves the others."""

import os
import platform
import re
from pathlib import Path

README = Path(__file__).with_name("README.md")
HEAD = "# Benchmarks\n\nMade by `make bench`: ratios of one run; the times are only for scale.\n"


def processor() -> str:
    """Its class as the system names it, which may be no more than the architecture."""
    cpuinfo = Path("/proc/cpuinfo")  # Linux has it
    text = cpuinfo.read_text("utf8") if cpuinfo.exists() else ""
    found = re.search(r"^model name\s*: (.*)$", text, re.M)
    return f"{found[1]} ({platform.machine()})" if found else platform.machine()


def machine(torch: str) -> str:
    """Where a benchmark of one thread was run, with this version of torch."""
    return (
        f"{processor()}, {os.cpu_count()} cores, of which it uses one; {platform.system()}, "
        f"Python {platform.python_version()}, torch {torch}"
    )


def renew(name: str, text: str) -> None:
    """Put ``text`` under the heading ``name``: a file of this folder, and its option."""
    before = README.read_text("utf8") if README.exists() else ""
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", before, re.M | re.S))
    sections[name] = f"\n{text.strip()}\n\n"
    body = "".join(f"\n## {each}\n{sections[each].rstrip()}\n" for each in sorted(sections))
    README.write_text(HEAD + body, "utf8")
