"""Secrets from end to end: `gridroom secret`, devices that need them, and a search for them wherever they must not be."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psutil
import pytest

from app.configuration import configure
from app.model.access import Denied, SecretPlace
from app.model.errors import GridroomError
from app.station import RunningStation
from tests.support.doors import BETTER, GOOD
from tests.support.mqtt_broker import Mosquitto, program
from tests.support.secret_service import in_session

ROOT: Final = Path(__file__).resolve().parents[2]
BROKER: Final = 'brök"er %2B<7>/ä'
TOKEN: Final = "tok-En+Z1/9x.4u=="
HOOK: Final = "hook \\ 四只灰猫"
WRONG: Final = "wröng %40 & old"
STATION = """
version: 1
station: {{id: site, name: {{en: Site, zh: 站点}}, timezone: Asia/Shanghai, location: {{latitude: 30, longitude: 120}}}}
devices:
  - {{id: gateway, name: Gateway, kind: meter, points: [
      {{id: p_kw, name: P, kind: measurement, unit: kW, address: {{topic: m1, path: $.p}}}}],
      connection: {{driver: mqtt, host: 127.0.0.1, port: {mqtt}, user: gridroom, password: secret:broker1}}}}
  - {{id: inverter, name: Inverter, kind: meter, points: [
      {{id: p_kw, name: P, kind: measurement, unit: kW, scan: 1s, address: {{path: $.p}}}}],
      connection: {{driver: http, url: "http://127.0.0.1:{http}/api", every: 1s, token: secret:inverter1}}}}
  - {{id: ghost, name: Ghost, kind: meter, points: [
      {{id: p_kw, name: P, kind: measurement, unit: kW, scan: 1s, address: {{path: $.p}}}}],
      connection: {{driver: http, url: "http://127.0.0.1:{http}/ghost", every: 1s, headers: {{X-Api-Key: "secret:ghost"}}}}}}
"""


def forms_of(secret: str) -> set[bytes]:
    """How a secret could stand somewhere: as it is, in JSON, in a URL, in hex, in base64 at any offset, in UTF-16."""
    plain = secret.encode()
    found = {plain, secret.encode("utf-16-le"), plain.hex().encode(), plain.hex().upper().encode()}
    found |= {json.dumps(secret)[1:-1].encode(), repr(secret)[1:-1].encode(), quote(secret, safe="").encode()}
    for before in (b"", b"x", b"xx"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(before + plain)
            found.add(whole[4 if before else 0 : len(whole) // 4 * 4 - 4])
    return found


@dataclass
class Scanner:
    """Everything that was said or written, and what of it holds a secret."""

    secrets: tuple[str, ...]
    said: dict[str, bytes] = field(default_factory=dict)

    def folder(self, path: Path) -> None:
        for file in path.rglob("*"):
            if file.is_file():
                self.said[str(file)] = file.read_bytes()
                if file.suffix == ".xlsx":
                    with zipfile.ZipFile(file) as book:
                        self.said |= {f"{file}!{name}": book.read(name) for name in book.namelist()}

    def arguments(self, process: psutil.Process) -> None:
        for one in (process, *process.children(recursive=True)):
            self.said[f"arguments of {one.pid}"] = "\0".join(one.cmdline()).encode()

    def found(self) -> list[str]:
        wanted = {form for secret in self.secrets for form in forms_of(secret)}
        return [where for where, what in self.said.items() if any(form in what for form in wanted)]


class Web:
    """An inverter's pages: the first asks for its token, the other for a key."""

    def __init__(self) -> None:
        self.given: list[str | None] = []
        web = self

        class Pages(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.given.append(self.headers["Authorization"])
                self.send_response(200 if self.headers["Authorization"] == f"Bearer {TOKEN}" else 401)
                self.end_headers()
                self.wfile.write(b'{"p": 5}')

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Folder:
    """A station whose devices need secrets, its data folder, and all that its verbs said."""

    def __init__(self, place: Path, mqtt: int, http: int) -> None:
        self.station, self.data = place / "site", place / "data"
        self.station.mkdir()
        self.data.mkdir()
        (self.station / "station.yaml").write_text(STATION.format(mqtt=mqtt, http=http), encoding="utf-8")
        self.scanner = Scanner((BROKER, TOKEN, HOOK, WRONG))

    def words(self, verb: str, *words: str) -> list[str]:
        return [sys.executable, "-m", "app", *verb.split(), *words, str(self.station), "--data", str(self.data)]

    def run(self, verb: str, *words: str, given: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.words(verb, *words),
            cwd=ROOT,
            capture_output=True,
            text=True,
            encoding="utf-8",
            input=given,
            check=False,
        )
        self.scanner.said[f"{verb} {len(self.scanner.said)}"] = (done.stdout + done.stderr).encode()
        assert done.returncode == code, done.stdout + done.stderr
        return done


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    tool = program("mosquitto_passwd")
    assert tool is not None
    file = tmp_path / "passwords"
    subprocess.run([tool, "-b", "-c", str(file), "gridroom", BROKER], check=True, capture_output=True)
    file.chmod(0o644)
    broker = Mosquitto(tmp_path / "broker", ["allow_anonymous false", f"password_file {file.as_posix()}"]).start()
    yield broker
    broker.stop()


@pytest.mark.mosquitto
def test_devices_get_their_secrets_and_nobody_else_does(tmp_path: Path, web: Web, broker: Mosquitto) -> None:
    folder = Folder(tmp_path, broker.port, web.port)
    folder.run("secret set", "broker1", given=WRONG + "\n")
    assert (
        folder.run("secret set", "inverter1", given=TOKEN).stdout
        == "secret:inverter1 is kept sealed with the key file\n"
    )
    idle = folder.run("secret set", "hook", given=HOOK)
    assert "no file of the station asks for it yet: write secret:hook there" in idle.stderr
    listed = folder.run("secret list", code=1).stdout
    assert listed.splitlines() == [
        "secret:broker1\tsealed with the key file\tthere\tgateway",
        "secret:ghost\tnowhere\tmissing\tghost",
        "secret:hook\tsealed with the key file\tthere\tnobody asks for it",
        "secret:inverter1\tsealed with the key file\tthere\tinverter",
    ]
    errors = tmp_path / "errors.txt"
    with errors.open("wb") as file:
        words = folder.words("engine", "--status-every", "200ms")
        engine = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=file, text=True, encoding="utf-8")
    try:
        assert engine.stdout is not None
        said = until(engine.stdout, "devices 1/3")
        until_true(lambda: "refused the login" in errors.read_text(encoding="utf-8"))
        folder.scanner.arguments(psutil.Process(engine.pid))
        folder.run("secret set", "broker1", given=BROKER + "\r\n")
        said += until(engine.stdout, "devices 2/3")
        folder.scanner.arguments(psutil.Process(engine.pid))
    finally:
        engine.terminate()
        assert engine.stdout is not None
        said += engine.stdout.read()
        engine.stdout.close()
        engine.wait(30)
    assert f"Bearer {TOKEN}" in web.given
    assert "there is no secret ghost; store it with: gridroom secret set ghost" in errors.read_text(encoding="utf-8")
    folder.scanner.said |= {"engine": said.encode(), "errors": errors.read_bytes()}
    folder.run(
        "export", "--points", "*", "--from", "2020-01-01", "--to", "2100-01-01", "-o", str(tmp_path / "history.csv")
    )
    folder.run("audit export", "-o", str(tmp_path / "audit.xlsx"))
    folder.run("audit export", "-o", str(tmp_path / "audit.csv"))
    audited = (tmp_path / "audit.csv").read_text(encoding="utf-8-sig")
    assert audited.count("station.export") == 2 and "history.csv" in audited
    assert audited.count("secrets.put") == 8 and "broker1" in audited
    assert folder.run("audit verify").stdout.startswith("sound: ")
    folder.scanner.folder(tmp_path)
    assert folder.scanner.found() == []


def test_the_scanner_finds_what_it_should(tmp_path: Path) -> None:
    scanner = Scanner((BROKER, TOKEN, HOOK))
    for secret in scanner.secrets:
        scanner.said |= {f"{secret} {form!r}": b"before " + form + b" after" for form in forms_of(secret)}
    scanner.said["basic"] = b"Authorization: Basic " + base64.b64encode(b"gridroom:" + BROKER.encode())
    scanner.said["clean"] = b"nothing to see"
    assert set(scanner.found()) == set(scanner.said) - {"clean"}


def test_a_value_is_not_typed_nor_given_as_a_word(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 1, 1)
    assert "is empty, no text, or longer" in folder.run("secret set", "broker1", code=2).stderr
    assert "is no name for a secret" in folder.run("secret set", "../x", given="x", code=2).stderr
    assert "there is no secret nobody" in folder.run("secret forget", "nobody", code=1).stderr
    assert "unrecognized arguments" in folder.run("secret set", "broker1", "--value=hush", given="x", code=2).stderr
    bytes_ = subprocess.run(
        folder.words("secret set", "a"), cwd=ROOT, input=b"\xff\xfe", capture_output=True, check=False
    )
    assert bytes_.returncode == 2 and b"no text in UTF-8" in bytes_.stderr
    if sys.platform != "win32":
        import pty

        ours, theirs = pty.openpty()
        with os.fdopen(ours, "rb"), os.fdopen(theirs, "rb") as terminal:
            typed = subprocess.run(
                folder.words("secret set", "a"), cwd=ROOT, stdin=terminal, capture_output=True, timeout=60, check=False
            )
        assert typed.returncode == 2 and b"give it on standard input: gridroom secret set a" in typed.stderr


def test_through_the_gate_with_the_role_and_audited_without_the_value(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 1, 1)
    station = RunningStation(configure(folder.station), folder.data)
    station.start()
    try:
        door = station.facade("test")
        with pytest.raises(Denied):
            door.secrets.rows().result(30)
        with pytest.raises(Denied):
            door.secrets.put("broker1", BROKER).result(30)
        door.access.name_administrator("ada", GOOD).result(30)
        door.secrets.put("broker1", BROKER).result(30)
        rows = {row.reference: row for row in door.secrets.rows().result(30)}
        assert rows["secret:broker1"].place is SecretPlace.SEALED and rows["secret:broker1"].trouble is None
        assert rows["secret:ghost"].place is SecretPlace.NOWHERE and rows["secret:ghost"].users == ("ghost",)
        assert BROKER not in repr(rows)
        with pytest.raises(GridroomError, match="is no name"):
            door.secrets.put("no name", BROKER).result(30)
        door.secrets.forget("broker1").result(30)
        with pytest.raises(GridroomError, match="there is no secret broker1"):
            door.secrets.forget("broker1").result(30)
        password = door.accounts.add("bo", "operator").result(30)
        door.access.sign_in("bo", password).result(30)
        door.access.change_password(password, BETTER).result(30)
        with pytest.raises(Denied, match="manage secrets"):
            door.secrets.put("broker1", BROKER).result(30)
    finally:
        station.stop()
    folder.run("audit export", "-o", str(tmp_path / "audit.csv"))
    folder.scanner.secrets = (*folder.scanner.secrets, GOOD, BETTER, password)
    folder.scanner.folder(tmp_path)
    assert folder.scanner.found() == []
    audited = (tmp_path / "audit.csv").read_text(encoding="utf-8-sig")
    assert audited.count("secrets.put") == 6 and audited.count("secrets.forget") == 4


@pytest.mark.keyring
def test_a_desktop_s_own_keyring(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 1, 1)
    ring = tmp_path / "ring"
    ring.mkdir()
    commands = [
        (folder.words("secret set", "broker1"), BROKER),
        (folder.words("secret set", "inverter1", "--sealed"), TOKEN),
        (folder.words("secret list"), ""),
    ]
    put, sealed, listed = in_session(ring, commands)
    assert put[1] == "secret:broker1 is kept in the system keyring\n", put
    assert sealed[1] == "secret:inverter1 is kept sealed with the key file\n", sealed
    assert listed[1].splitlines()[0] == "secret:broker1\tin the system keyring\tthere\tgateway"
    assert set(json.loads((folder.data / "secrets.json").read_text())["secrets"]["broker1"]) == {"kept"}
    # Locked, as after a restart before anybody signed in; and gone, as for a service of another user.
    (locked,) = in_session(ring, [(folder.words("secret list"), "")], unlocked=False)
    assert "secret:broker1\tin the system keyring\tthe system keyring refuses: " in locked[1]
    gone = folder.run("secret list", code=1).stdout
    assert "it is in the keyring of another user or system; set it here again, with --sealed" in gone
    (forgotten, after) = in_session(ring, [(folder.words("secret forget", "broker1"), ""), commands[-1]])
    assert forgotten[0] == 0 and "secret:broker1\tnowhere\tmissing\tgateway" in after[1]
    folder.scanner.folder(folder.data)
    folder.scanner.said |= {
        str(n): "".join(one[1:]).encode() for n, one in enumerate((put, sealed, listed, locked, after))
    }
    assert folder.scanner.found() == []


def until(lines: Iterator[str], wanted: str) -> str:
    said = ""
    end = time.monotonic() + 60
    for line in lines:
        said += line
        if wanted in line:
            return said
        assert time.monotonic() < end, said
    pytest.fail(f"it ended: {said}")


def until_true(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


LITERAL = "literal-pw-7f3a91c4"


def test_a_password_that_is_refused_in_a_file_is_not_in_the_audit_either(tmp_path: Path) -> None:
    """What is asked is audited before it is judged: the text of a file is not among what is shown of it."""
    text = yaml_of(LITERAL)
    (tmp_path / "station.yaml").write_text(yaml_of("env:NOTHING"), encoding="utf-8")
    (tmp_path / "data").mkdir()
    station = RunningStation(configure(tmp_path), tmp_path / "data")
    station.start()
    try:
        door = station.facade("a test")
        door.access.name_administrator("ada", GOOD).result(30)
        preview = door.commissioning.judge(text).result(30)
        for refused in (lambda: door.commissioning.save(preview), lambda: door.commissioning.try_("m", text)):
            with pytest.raises(GridroomError):
                refused().result(30)
        rows = door.audit.rows(None, 100).result(30)
    finally:
        station.stop()
    assert {row.what for row in rows} >= {"commissioning.save", "commissioning.try_"}
    assert not [row for row in rows if LITERAL in repr(row)]
    assert not [
        file for file in (tmp_path / "data").rglob("*") if file.is_file() and LITERAL.encode() in file.read_bytes()
    ]


def yaml_of(password: str) -> str:
    return (
        "version: 1\nstation: {id: s, name: S, timezone: UTC, location: {latitude: 0, longitude: 0}}\n"
        "devices:\n  - {id: m, name: M, kind: meter, connection: {driver: mqtt, host: 127.0.0.1, user: u, password: '"
        f"{password}'}}, points: [{{id: p, name: P, kind: measurement, address: {{topic: t}}}}]}}\n"
    )
