"""The command line as one who types it meets it: what is said of errors, and of what cannot be meant."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from app import cli, headless


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `schema` that has a bug."""

    def fail(form: str) -> int:
        raise ZeroDivisionError(f"a bug\nof ours in {form}")

    monkeypatch.setattr(headless, "schema", fail)


def test_an_error_that_nobody_foresaw_is_one_line_and_its_traceback_is_kept(
    broken: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(cli.TRACEBACK)
    monkeypatch.setattr(platformdirs, "user_log_path", lambda *_, **__: tmp_path / "logs")
    assert cli.main(["schema", "station"]) == cli.FAILED
    said = capsys.readouterr().err
    kept = tmp_path / "logs" / "last-error.txt"
    assert said.count("\n") == 1 and str(kept) in said
    assert said.startswith("gridroom schema: a fault of Gridroom's own (ZeroDivisionError: a bug of ours in station);")
    assert "Traceback" in kept.read_text(encoding="utf-8") and "in fail" in kept.read_text(encoding="utf-8")


def test_where_the_traceback_cannot_be_kept_it_is_told(
    broken: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(cli.TRACEBACK)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(platformdirs, "user_log_path", lambda *_, **__: tmp_path / "file")
    assert cli.main(["schema", "station"]) == cli.FAILED
    assert "in fail" in capsys.readouterr().err


def test_developers_see_it_as_it_is(broken: None) -> None:
    with pytest.raises(ZeroDivisionError):
        cli.main(["schema", "station"])


@pytest.mark.parametrize("pace", ["0s", "99ms"])
def test_status_lines_do_not_flood(pace: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["engine", "demo", "--status-every", pace])
    assert ended.value.code == cli.WRONG_INPUT
    assert f"'{pace}' is too often; write 100ms or more" in capsys.readouterr().err


def test_an_option_that_is_none_is_told_with_the_verbs_own_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["console", "--bad"])
    said = capsys.readouterr().err
    assert ended.value.code == cli.WRONG_INPUT
    assert said.startswith("usage: gridroom console ") and "--bad" in said and "gridroom console --help" in said


def test_what_is_wrong_on_the_command_line_has_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["engine", str(Path(__file__).parent)]) == cli.WRONG_INPUT
    assert capsys.readouterr().err == "command line: no data folder; say where history goes with --data DIR\n"
