"""Secrets of a station: kept, found, changed by another process, and refused where something is wrong with their place."""

from __future__ import annotations

import base64
import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

from app.access.secrets import keyring as keyrings
from app.access.secrets.keyring import Keyring
from app.access.secrets.sealing import KEY_FILE, key_path, make_key, read_key, seal, unseal
from app.access.secrets.shelf import FILE_NAME
from app.access.secrets.uses import rows_of
from app.access.secrets.vault import LONGEST_BYTES, Vault
from app.model.access import SecretPlace
from app.model.errors import GridroomError, StorageError
from app.model.secrets import opened, references, resolve

posix = pytest.mark.skipif(os.name != "posix", reason="Windows gives files rights in another way")


class InMemory(KeyringBackend):
    """A system's keyring as its library sees it, which a test may lock or let hang."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.error: Exception | None = None
        self.hangs: threading.Event | None = None

    def get_password(self, service: str, username: str) -> str | None:
        self._answers()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._answers()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._answers()
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("not found")

    def _answers(self) -> None:
        if self.hangs is not None:
            self.hangs.wait(30)
        if self.error is not None:
            raise self.error


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def sealing(data: Path, station: str = "park") -> Vault:
    vault = Vault(data, station, keyring=lambda _: None)
    vault.look()
    return vault


def in_keyring(data: Path, backend: InMemory) -> Vault:
    vault = Vault(data, "park", keyring=lambda station: Keyring(backend, station, within_s=0.2))
    vault.look()
    return vault


def files_of(data: Path) -> Iterator[tuple[Path, bytes]]:
    for path in data.parent.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def test_what_is_sealed_is_found_again_and_stands_nowhere_in_the_data_folder(data: Path) -> None:
    value = "four grey cats, 四只灰猫\nand a second line"
    sealing(data).put("broker1", value)
    with opened(sealing(data).find):
        assert resolve("secret:broker1") == value
    for path, content in files_of(data):
        assert value.encode() not in content, path
        assert base64.b64encode(value.encode()) not in content, path
    assert key_path(data).parent == data.parent and data not in key_path(data).parents


@pytest.mark.expects_errors
def test_a_copy_of_the_data_folder_alone_opens_nothing(data: Path, tmp_path: Path) -> None:
    sealing(data).put("broker1", "four grey cats")
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / FILE_NAME).write_bytes((data / FILE_NAME).read_bytes())
    with pytest.raises(GridroomError, match=r"key file .*copy\.key is missing; put it back"):
        sealing(copy).find("broker1")


@posix
@pytest.mark.expects_errors
def test_files_are_for_their_owner_alone_and_a_key_that_others_may_read_is_refused(data: Path) -> None:
    sealing(data).put("broker1", "four grey cats")
    for path in (data / FILE_NAME, key_path(data)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    key_path(data).chmod(0o640)
    with pytest.raises(GridroomError, match="may be read by others"):
        sealing(data).put("other", "x")
    assert "other" not in json.loads((data / FILE_NAME).read_text())["secrets"]


@pytest.mark.expects_errors
def test_one_secret_cannot_stand_for_another_nor_for_another_station(data: Path) -> None:
    vault = sealing(data)
    vault.put("mine", "four grey cats")
    vault.put("yours", "two white dogs")
    form = json.loads((data / FILE_NAME).read_text())
    form["secrets"]["mine"], form["secrets"]["yours"] = form["secrets"]["yours"], form["secrets"]["mine"]
    (data / FILE_NAME).write_text(json.dumps(form))
    with pytest.raises(GridroomError, match="secret mine cannot be opened: it was changed, or sealed with another key"):
        sealing(data).find("mine")
    with pytest.raises(GridroomError, match="sealed with another key"):
        sealing(data, "another").find("yours")


@given(
    st.text(min_size=1, max_size=300).filter(lambda one: "\0" not in one), st.integers(0, 10_000), st.integers(1, 255)
)
def test_any_flipped_byte_is_noticed(value: str, where: int, flip: int) -> None:
    key = bytes(range(32))
    sealed = bytearray(seal(key, "park", "broker1", value))
    assert unseal(key, "park", "broker1", bytes(sealed)) == value
    assert seal(key, "park", "broker1", value) != bytes(sealed)  # another nonce each time
    sealed[where % len(sealed)] ^= flip
    with pytest.raises(GridroomError):
        unseal(key, "park", "broker1", bytes(sealed))


def test_a_running_vault_knows_what_another_process_stored(data: Path) -> None:
    running, other = sealing(data), sealing(data)
    with pytest.raises(GridroomError, match="there is no secret broker1; store it with: gridroom secret set broker1"):
        running.find("broker1")
    other.put("broker1", "first")
    running.look()
    assert running.find("broker1") == "first"
    other.put("broker1", "second, and longer")
    running.look()
    assert running.find("broker1") == "second, and longer"
    other.forget("broker1")
    running.look()
    with pytest.raises(GridroomError, match="no secret broker1"):
        running.find("broker1")
    with pytest.raises(GridroomError, match="no secret broker1"):
        other.forget("broker1")


def test_many_who_store_at_once_lose_nothing(data: Path) -> None:
    vaults = [sealing(data) for _ in range(8)]
    threads = [threading.Thread(target=one.put, args=(f"s{n}", f"value {n}")) for n, one in enumerate(vaults)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = sealing(data)
    assert [after.find(f"s{n}") for n in range(8)] == [f"value {n}" for n in range(8)]


def test_a_keyring_is_preferred_and_left_where_it_refuses(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    backend = InMemory()
    vault = in_keyring(data, backend)
    assert vault.put("broker1", "four grey cats").in_keyring
    assert backend.kept == {("gridroom park", "broker1"): "four grey cats"}
    assert b"grey" not in (data / FILE_NAME).read_bytes() and not key_path(data).exists()
    assert in_keyring(data, backend).find("broker1") == "four grey cats"
    assert not vault.put("broker1", "two white dogs", sealed=True).in_keyring
    assert backend.kept == {} and vault.find("broker1") == "two white dogs"
    backend.error = KeyringLocked("no")
    assert not vault.put("other", "one blue fish").in_keyring
    assert "secret other is sealed with the key file instead" in caplog.text and "fish" not in caplog.text
    backend.error = None
    vault.put("broker1", "three red hens")
    vault.forget("broker1")
    assert backend.kept == {}


@pytest.mark.expects_errors
def test_a_keyring_that_is_locked_empty_or_mute_costs_its_secrets_only(
    data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    backend = InMemory()
    vault = in_keyring(data, backend)
    vault.put("kept", "four grey cats")
    vault.put("sealed", "two white dogs", sealed=True)
    backend.error = KeyringLocked("Failed to unlock")
    vault.look(again=True)
    assert vault.find("sealed") == "two white dogs"
    with pytest.raises(
        GridroomError, match="secret kept cannot be opened: the system keyring refuses: Failed to unlock"
    ):
        vault.find("kept")
    backend.error = None
    backend.hangs = threading.Event()
    began = time.monotonic()
    vault.look(again=True)
    assert time.monotonic() - began < 20
    with pytest.raises(GridroomError, match="does not answer within"):
        vault.find("kept")
    backend.hangs.set()
    backend.hangs = None
    backend.kept.clear()
    vault.look(again=True)
    with pytest.raises(GridroomError, match="keyring of another user or system"):
        vault.find("kept")
    assert not sealing(data).states()["sealed"].trouble
    assert caplog.text.count("secret kept cannot be opened") == 4


@pytest.mark.parametrize(
    "content", ["", "[]", '{"secrets": 5}', '{"secrets": {"a": {"kept": "sealed"}}}', "\0\0", "[" * 100_000]
)
@pytest.mark.expects_errors
def test_a_broken_file_is_told_and_never_replaced(data: Path, content: str) -> None:
    (data / FILE_NAME).write_text(content)
    vault = sealing(data)
    for ask in (lambda: vault.find("a"), lambda: vault.put("a", "x"), vault.states):
        with pytest.raises(GridroomError, match="cannot be read: it is not what Gridroom wrote; put a copy of it back"):
            ask()
    assert (data / FILE_NAME).read_text() == content


@posix
@pytest.mark.expects_errors
def test_links_are_not_followed(data: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    (data / FILE_NAME).symlink_to(precious)
    with pytest.raises(StorageError, match="symbolic link"):
        sealing(data).put("a", "x")
    (data / FILE_NAME).unlink()
    (data / f"{FILE_NAME}.unfinished").symlink_to(precious)
    sealing(data).put("a", "x")
    (data / "secrets.lock").unlink()
    (data / "secrets.lock").symlink_to(precious)
    with pytest.raises(StorageError, match=r"secrets\.lock cannot be written"):
        sealing(data).put("a", "y")
    assert precious.read_text() == "keep me"


@pytest.mark.expects_errors
def test_a_lost_key_is_not_replaced_while_secrets_need_it(data: Path) -> None:
    sealing(data).put("a", "x")
    key_path(data).rename(data.parent / "moved")
    with pytest.raises(GridroomError, match="is missing; put it back"):
        sealing(data).put("b", "y")
    key_path(data).write_text("no key")
    key_path(data).chmod(0o600)
    with pytest.raises(GridroomError, match="holds no key"):
        sealing(data).put("b", "y")
    key_path(data).unlink()
    (data.parent / "moved").rename(key_path(data))
    assert sealing(data).find("a") == "x"


def test_a_key_file_elsewhere(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_FILE, str(tmp_path / "elsewhere" / "key"))
    with pytest.raises(GridroomError, match=f"cannot be made: .*; name another place in {KEY_FILE}"):
        sealing(data).put("a", "x")
    (tmp_path / "elsewhere").mkdir()
    sealing(data).put("a", "x")
    assert len(read_key(tmp_path / "elsewhere" / "key")) == 32 and not data.with_name("data.key").exists()
    with pytest.raises(GridroomError, match="cannot be made"):
        make_key(tmp_path / "elsewhere" / "key")


@pytest.mark.parametrize("name", ["", "../up", "a b", "a" * 65, "名", "a\n", "-x", "'; DROP TABLE--", ".hidden"])
def test_names_that_are_refused(data: Path, name: str) -> None:
    with pytest.raises(GridroomError, match="is no name for a secret; write up to 64 letters"):
        sealing(data).put(name, "x")


@pytest.mark.parametrize("value", ["", "a\0b", "\ud800", "x" * (LONGEST_BYTES + 1)])
def test_values_that_are_refused(data: Path, value: str) -> None:
    with pytest.raises(GridroomError, match="secret a is empty, no text, or longer than 64 KiB"):
        sealing(data).put("a", value)


def test_who_asks_for_what(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    form = {"password": "secret:a", "headers": {"X": "env:IS_SET", "Y": ["secret:b", 5]}, "host": "secret:"}
    assert list(references(form)) == ["secret:a", "env:IS_SET", "secret:b"]
    monkeypatch.setenv("IS_SET", "1")
    monkeypatch.delenv("NOT_SET", raising=False)
    vault = sealing(data)
    vault.put("a", "x")
    vault.put("idle", "x")
    rows = rows_of(
        vault, {"secret:a": ["m1", "m2"], "secret:b": ["m1"], "env:IS_SET": ["m1"], "env:NOT_SET": ["records"]}
    )
    assert [(row.reference, row.place, row.trouble and row.trouble.en, row.users) for row in rows] == [
        ("env:IS_SET", SecretPlace.ENVIRONMENT, None, ("m1",)),
        ("env:NOT_SET", SecretPlace.ENVIRONMENT, "missing", ("records",)),
        ("secret:a", SecretPlace.SEALED, None, ("m1", "m2")),
        ("secret:b", SecretPlace.NOWHERE, "missing", ("m1",)),
        ("secret:idle", SecretPlace.SEALED, None, ()),
    ]


def test_what_is_printed_of_a_vault_shows_no_value(data: Path) -> None:
    vault = sealing(data)
    vault.put("a", "four grey cats")
    assert "grey" not in repr(vault) + repr(vault._opened) + repr(vault.states()) + repr(vars(vault)["_opened"])


def test_the_kind_of_keyring_is_that_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another package offers is not taken, though the library itself would."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nonexistent")
    found = keyrings.system_keyring("park")
    assert found is None or "null" not in type(found._backend).__module__
