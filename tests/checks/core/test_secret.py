import os
import stat

import pytest

from dlcourse.checks.core import secret


@pytest.fixture
def seed(tmp_path, monkeypatch):
    path = secret.create(tmp_path / ".dlcourse-seed")
    monkeypatch.setenv(secret.VARIABLE, str(path))
    return path


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_the_secret_is_readable_by_its_owner_only(seed):
    assert stat.S_IMODE(seed.stat().st_mode) == 0o600
    assert len(seed.read_bytes()) == secret.SIZE


def test_the_secret_is_never_overwritten(seed):
    before = seed.read_bytes()
    secret.create(seed)
    assert seed.read_bytes() == before


def test_two_secrets_differ(tmp_path):
    a, b = (secret.create(tmp_path / name).read_bytes() for name in "ab")
    assert a != b


def test_each_exercise_has_a_key_of_its_own(seed):
    keys = {secret.key("neurons", "a"), secret.key("neurons", "b"), secret.key("depth", "a")}
    assert len(keys) == 3 and all(len(key) == 32 for key in keys)
    assert secret.key("neurons", "a") in keys


def test_without_a_secret_there_is_no_key(monkeypatch):
    monkeypatch.delenv(secret.VARIABLE, raising=False)
    assert secret.key("neurons", "a") is None
    assert secret.fingerprint() == "public"


def test_the_fingerprint_gives_nothing_of_the_secret_away(seed):
    mark = secret.fingerprint()
    assert len(mark) == 12 and mark == secret.fingerprint()
    assert mark not in seed.read_bytes().hex()


def test_a_damaged_secret_is_an_error_in_words(seed):
    seed.write_bytes(b"short")
    with pytest.raises(ValueError, match="holds 5 bytes; a secret has 32"):
        secret.key("neurons", "a")
