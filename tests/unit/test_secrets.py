"""A secret is found where it belongs, kept encrypted, and refused where it was tampered with."""

import json
from pathlib import Path

import pytest

from daemon.secrets.encrypted_file import EncryptedFile, find_passphrase
from daemon.secrets.names import ACCOUNT, WATCH_TOKEN, BadSecret
from daemon.secrets.sources import Found, Source, find_secret, known_secrets, look_for

PASSPHRASE = "correct horse battery"  # noqa: S105 - no real one


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file that has an account; drawing its key takes half a second."""
    path = tmp_path_factory.mktemp("kept") / "secrets.json"
    file = EncryptedFile(path, PASSPHRASE)
    file.set(ACCOUNT, "DU7654321")
    file.save()
    return path


@pytest.fixture
def passphrase_file(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere" / "passphrase"
    path.parent.mkdir()
    path.write_text(f"{PASSPHRASE}\n", encoding="utf-8")
    path.chmod(0o600)
    return path


def opened_by(path: Path, passphrase_file: Path) -> dict[str, str]:
    return {
        "TRADED_SECRETS_FILE": str(path),
        "TRADED_SECRETS_PASSPHRASE_FILE": str(passphrase_file),
    }


def copied(kept: Path, tmp_path: Path, **changes: object) -> Path:
    """Return a copy of the file with `changes` in its JSON."""
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps(json.loads(kept.read_text()) | changes), encoding="utf-8")
    path.chmod(0o600)
    return path


def test_systemds_credential_counts_before_the_environment_and_that_before_the_file(
    kept: Path, tmp_path: Path, passphrase_file: Path
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / ACCOUNT).write_text("DU1111111\n", encoding="utf-8")
    file = opened_by(kept, passphrase_file)
    variable = {"IBKR_ACCOUNT": " DU2222222 "}
    folder = {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert look_for(ACCOUNT, file) == Found("DU7654321", Source.FILE)
    assert look_for(ACCOUNT, file | variable) == Found("DU2222222", Source.ENVIRONMENT)
    assert look_for(ACCOUNT, file | variable | folder) == Found("DU1111111", Source.CREDENTIAL)


def test_a_secret_nobody_has_set_is_none() -> None:
    assert find_secret(ACCOUNT, {"HOME": "/nowhere"}) is None
    assert find_secret(ACCOUNT, {"HOME": "/nowhere", "IBKR_ACCOUNT": "  "}) is None


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe", b"x" * 10_001])
def test_a_credential_that_cannot_be_one_is_refused_and_not_passed_over(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / ACCOUNT).write_bytes(content)
    with pytest.raises(BadSecret, match="credential"):
        find_secret(ACCOUNT, {"CREDENTIALS_DIRECTORY": str(tmp_path), "IBKR_ACCOUNT": "DU1"})


def test_every_word_of_every_secret_is_known_to_the_redaction() -> None:
    environment = {"HOME": "/nowhere", "TRADED_ALERT_URLS": "json://one json://two"}
    assert [*known_secrets(environment)] == ["json://one", "json://two"]


def test_neither_the_value_nor_the_passphrase_is_in_the_file_and_only_its_user_may_read_it(
    kept: Path,
) -> None:
    text = kept.read_text()
    assert "DU7654321" not in text
    assert PASSPHRASE not in text
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_found_secret_shows_itself_in_no_text() -> None:
    assert "DU7654321" not in repr(Found("DU7654321", Source.FILE))


def test_another_passphrase_opens_nothing(kept: Path) -> None:
    with pytest.raises(BadSecret, match="passphrase is another one"):
        EncryptedFile(kept, "another horse battery")


def test_a_value_that_was_changed_is_refused(kept: Path, tmp_path: Path) -> None:
    token = json.loads(kept.read_text())["secrets"][ACCOUNT]
    # One character in the middle: the signature over it does not fit any more.
    changed = token[:40] + ("A" if token[40] != "A" else "B") + token[41:]
    path = copied(kept, tmp_path, secrets={ACCOUNT: changed})
    with pytest.raises(BadSecret, match="was changed"):
        EncryptedFile(path, PASSPHRASE).get(ACCOUNT)


@pytest.mark.parametrize(
    "changes",
    [
        {"iterations": 1},
        {"iterations": 10**12},
        {"salt": ""},
        {"salt": "!!"},
        {"version": 2},
        {"secrets": []},
        {"more": 1},
    ],
)
def test_a_file_whose_key_would_be_drawn_otherwise_is_refused(
    kept: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(BadSecret):
        EncryptedFile(copied(kept, tmp_path, **changes), PASSPHRASE)


def test_a_file_that_others_may_read_is_refused(kept: Path, tmp_path: Path) -> None:
    path = copied(kept, tmp_path)
    path.chmod(0o640)
    with pytest.raises(BadSecret, match="chmod 600"):
        EncryptedFile(path, PASSPHRASE)


def test_rotation_leaves_every_secret_and_none_of_the_old_passphrase(
    kept: Path, tmp_path: Path
) -> None:
    file = EncryptedFile(copied(kept, tmp_path), PASSPHRASE)
    file.rotate("another horse battery")
    file.save()
    assert EncryptedFile(file.path, "another horse battery").get(ACCOUNT) == "DU7654321"
    with pytest.raises(BadSecret):
        EncryptedFile(file.path, PASSPHRASE)


def test_a_passphrase_beside_what_it_opens_is_refused(tmp_path: Path) -> None:
    beside = tmp_path / "passphrase"
    beside.write_text(PASSPHRASE, encoding="utf-8")
    beside.chmod(0o600)
    with pytest.raises(BadSecret, match="lies beside"):
        find_passphrase(opened_by(tmp_path / "secrets.json", beside))


def test_a_passphrase_that_others_may_read_or_that_is_too_short_is_refused(
    tmp_path: Path, passphrase_file: Path
) -> None:
    environment = opened_by(tmp_path / "secrets.json", passphrase_file)
    passphrase_file.chmod(0o644)
    with pytest.raises(BadSecret, match="chmod 600"):
        find_passphrase(environment)
    passphrase_file.chmod(0o600)
    passphrase_file.write_text("short", encoding="utf-8")
    with pytest.raises(BadSecret, match="fewer than 12"):
        find_passphrase(environment)


def test_a_file_that_nothing_opens_is_said_to_be_so_and_not_passed_over(kept: Path) -> None:
    with pytest.raises(BadSecret, match="nothing opens it"):
        find_secret(WATCH_TOKEN, {"TRADED_SECRETS_FILE": str(kept)})
