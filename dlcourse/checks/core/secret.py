"""The instructor's secret, from which hidden cases are drawn.

A file of 32 random bytes, named by the environment variable ``DLCOURSE_SEED_FILE``. Without it
cases come from seed 0, which is what learners have.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

VARIABLE = "DLCOURSE_SEED_FILE"
SIZE = 32  # bytes; under 16 the seed could be found by trying


def create(path: Path) -> Path:
    """Make the secret, readable by its owner only; one that exists stays as it is."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(SIZE))
    return path


def read() -> bytes | None:
    """The secret, None where there is none; a file that is no secret is a ``ValueError``."""
    if not (path := os.environ.get(VARIABLE)):
        return None
    seed = Path(path).read_bytes()
    if len(seed) != SIZE:
        raise ValueError(f"{path} holds {len(seed)} bytes; a secret has {SIZE}. Restore it")
    return seed


def key(slug: str, name: str, seed: bytes | None = None) -> bytes | None:
    """The secret of one exercise, HMAC-SHA256(secret, "slug/name"); None without a secret.

    The secret is ``seed`` where one is given, and else what :func:`read` finds.
    """
    seed = seed or read()
    return None if seed is None else hmac.digest(seed, f"{slug}/{name}".encode(), "sha256")


def fingerprint(seed: bytes | None = None) -> str:
    """A short name of the secret, which gives nothing of it away; ``public`` without one."""
    seed = seed or read()
    return "public" if seed is None else hashlib.sha256(b"fingerprint" + seed).hexdigest()[:12]
