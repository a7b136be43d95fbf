"""run.py: what a person gets who types one command, on a good machine and on a poor one."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
Start = Callable[..., subprocess.CompletedProcess[str]]


def test_old_pythons_can_read_it() -> None:
    ast.parse((ROOT / "run.py").read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("version", [(3, 6), (3, 10), (3, 14)])
def test_another_python_gets_one_line_and_2(version: tuple[int, int]) -> None:
    script = str(ROOT / "run.py")
    code = f"import runpy, sys; sys.version_info = ({version[0]}, {version[1]}, 0); sys.argv[:] = [{script!r}, 'setup']; runpy.run_path({script!r}, run_name='__main__')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    said = (result.stdout + result.stderr).splitlines()
    assert result.returncode == 2
    assert len(said) == 1 and "3.11, 3.12 or 3.13" in said[0] and f"{version[0]}.{version[1]}" in said[0]


def test_help_sets_nothing_up(small_project: Path, start: Start) -> None:
    result = start(small_project, "--help")
    assert result.returncode == 0 and "python3 run.py test" in result.stdout
    assert not (small_project / ".venv").exists()


def test_a_project_is_set_up_once_and_again_after_a_move(small_project: Path, start: Start, tmp_path: Path) -> None:
    first = start(small_project, "check", "my station")
    assert "Setting up" in first.stdout, first.stderr
    assert "IEC 60870-5-104 cannot be spoken on this machine" in first.stdout, "told, and no reason to stop"
    assert first.stdout.splitlines()[-1] == "['check', 'my station'] 1", first.stderr
    assert first.returncode == 7, "the exit code is gridroom's"

    second = start(small_project, "setup")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", ""), "nothing to set up, nothing to say"

    foreign = tmp_path / "somebody's"
    (foreign / "app").mkdir(parents=True)
    (foreign / "app" / "__main__.py").write_text("print('the wrong program')", encoding="utf-8")
    assert start(small_project, "check", cwd=foreign).stdout == "['check'] 1\n", "a folder named app is in the way"

    moved = tmp_path / "elsewhere"
    small_project.rename(moved)
    third = start(moved, "sim")
    assert "Setting up" in third.stdout, third.stderr
    assert third.stdout.splitlines()[-1] == "['sim'] 1"
    scripts = moved / ".venv" / ("Scripts" if sys.platform == "win32" else "bin")
    pip = scripts / ("pip.exe" if sys.platform == "win32" else "pip")  # not reinstalled, unlike gridroom's own
    assert str(moved) in subprocess.run([pip, "--version"], capture_output=True, text=True, check=True).stdout


class Machine:
    """A computer on which some of pip's ways are missing; stands for `run.succeeds` and `run.apt_install`."""

    def __init__(self, run: ModuleType, venv: Path, ensurepip: bool = True, pip: bool = True, apt: bool = True) -> None:
        self.ensurepip, self.pip, self.apt = ensurepip, pip, apt
        self.inside = False
        self._run, self._venv = run, venv
        self.installed: list[str] = []

    def succeeds(self, command: list[str]) -> bool:
        if "venv" in command:
            self._venv.mkdir(exist_ok=True)
            self.inside = self.ensurepip and "--without-pip" not in command
            return self.inside or "--without-pip" in command
        assert command[-1] == "--version"
        return self.inside if command[0] == self._run.PYTHON else self.pip

    def apt_install(self, packages: list[str]) -> bool:
        self.installed += packages if self.apt else []
        self.ensurepip |= self.apt
        return self.apt


@pytest.fixture
def machine(run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    venv = tmp_path / ".venv"
    machine = Machine(run, venv)
    monkeypatch.setattr(run, "VENV", str(venv))
    monkeypatch.setattr(run, "PYTHON", str(venv / "python"))
    monkeypatch.setattr(run, "fits", venv.is_dir)
    monkeypatch.setattr(run, "succeeds", machine.succeeds)
    monkeypatch.setattr(run, "apt_install", machine.apt_install)
    return machine


def test_pip_comes_from_the_new_environment(run: ModuleType, machine: Machine) -> None:
    assert run.make_venv() == [run.PYTHON, "-m", "pip"]


def test_without_ensurepip_the_pip_outside_serves(run: ModuleType, machine: Machine) -> None:
    machine.ensurepip = False
    assert run.make_venv() == [sys.executable, "-m", "pip", "--python", run.PYTHON]


def test_without_any_pip_debian_s_package_is_installed(run: ModuleType, machine: Machine) -> None:
    machine.ensurepip = machine.pip = False
    assert run.make_venv() == [run.PYTHON, "-m", "pip"]
    assert machine.installed == ["python{}.{}-venv".format(*sys.version_info[:2])]


def test_who_may_not_install_is_told_the_command_and_it_helps(run: ModuleType, machine: Machine) -> None:
    machine.ensurepip = machine.pip = machine.apt = False
    with pytest.raises(run.Trouble, match="sudo apt-get install python3"):
        run.make_venv()
    machine.ensurepip = True  # the person has run it
    assert run.make_venv() == [run.PYTHON, "-m", "pip"]
    assert machine.inside


def test_a_set_up_that_failed_is_not_taken_for_done(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[list[str]] = []

    def install(pip: list[str], what: list[str]) -> None:
        steps.append(what)
        if len(steps) == 2:
            raise run.Trouble("the network went away")

    monkeypatch.setattr(run, "STAMP", str(tmp_path / "stamp"))
    monkeypatch.setattr(run, "make_venv", lambda: ["pip"])
    monkeypatch.setattr(run, "install", install)
    monkeypatch.setattr(run, "check_system", lambda: None)
    assert run.main(["setup"]) == 1
    assert run.main(["setup"]) == 0 and len(steps) == 4
    assert run.main(["setup"]) == 0 and len(steps) == 4, "and what is done is not done again"


def test_a_newer_patch_of_the_same_python_keeps_what_is_set_up(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run.fingerprint()
    (tmp_path / "pyvenv.cfg").write_text(f"command = python -m venv {tmp_path}\n", encoding="utf-8")
    monkeypatch.setattr(run, "VENV", str(tmp_path))
    monkeypatch.setattr(run, "PYTHON", sys.executable)
    major, minor, patch = sys.version_info[:3]
    monkeypatch.setattr(run.sys, "version_info", (major, minor, patch + 1))
    assert run.fingerprint() == before and run.fits()
    monkeypatch.setattr(run.sys, "version_info", (major, minor + 1, 0))
    assert run.fingerprint() != before and not run.fits(), "another minor version has other packages"


@pytest.mark.parametrize(
    ("screens", "looked_for"),
    [((False, False, True, True, False), [False, True]), ((True, False, True), [True])],
)
def test_a_screen_that_comes_and_goes_costs_no_set_up(
    run: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    screens: tuple[bool, ...],
    looked_for: list[bool],
) -> None:
    installs, checks = [], []
    monkeypatch.setattr(run, "STAMP", str(tmp_path / "stamp"))
    monkeypatch.setattr(run, "make_venv", lambda: ["pip"])
    monkeypatch.setattr(run, "install", lambda pip, what: installs.append(what))
    monkeypatch.setattr(run, "check_system", lambda: checks.append(run.has_screen()))
    for screen in screens:
        monkeypatch.setattr(run, "has_screen", lambda screen=screen: screen)
        run.set_up()
    assert len(installs) == 2, "the lock and Gridroom, once"
    assert checks == looked_for, "a screen's libraries are looked for once, when there is one"


@pytest.mark.parametrize(
    "case",
    [
        ({}, [], ["engine", "demo", "--status-every", "1s"]),
        ({"DISPLAY": ":0"}, [], []),
        ({"WAYLAND_DISPLAY": "wayland-0"}, [], []),
        ({"QT_QPA_PLATFORM": "offscreen"}, [], []),
        ({}, ["check", "my_station"], ["check", "my_station"]),
    ],
)
def test_without_a_display_the_demo_station_runs_headless(
    run: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    case: tuple[dict[str, str], list[str], list[str]],
) -> None:
    environment, words, handed_over = case
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(run.sys, "platform", "linux")
    monkeypatch.setattr(run, "set_up", lambda: None)
    commands: list[list[str]] = []
    monkeypatch.setattr(run, "hand_over", lambda command: commands.append(command) or 0)
    assert run.main(list(words)) == 0
    assert commands[0][1:] == handed_over and Path(commands[0][0]).stem == "gridroom"
    said = capsys.readouterr().out
    assert ("no display" in said and "For the window" in said) == (handed_over != words)


def test_missing_libraries_are_told_with_the_one_command(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = "2 libs found\n\tlibGL.so.1 (libc6,x86-64) => /lib/libGL.so.1\n\tlibEGL.so.1 (libc6,x86-64) => /lib/libEGL.so.1\n"
    monkeypatch.setattr(run.sys, "platform", "linux")
    monkeypatch.setattr(run.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(run.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 0, stdout=cache))
    monkeypatch.setattr(run, "has_screen", lambda: False)
    monkeypatch.setattr(run, "has_cjk_font", lambda: False)
    monkeypatch.setattr(run, "apt_install", lambda packages: False)
    run.check_system()
    said = capsys.readouterr().out
    command = said[said.index("sudo apt-get install") :].split()
    assert {"libfontconfig1", "libxkbcommon0", "fonts-noto-cjk"} <= set(command)
    assert not {"libgl1", "libegl1", "libxcb-cursor0"} & set(command), "there already, or for a screen only"


@pytest.mark.parametrize(("failing", "tool"), [(None, ""), ("mypy", "mypy"), ("import-linter", "lint-imports")])
def test_every_step_of_test_runs_and_one_failure_is_failure(
    run: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    failing: str | None,
    tool: str,
) -> None:
    commands: list[list[str]] = []

    def call(command: list[str], **_: object) -> int:
        commands.append(command)
        return int(Path(command[0]).stem == tool)

    monkeypatch.setattr(run.subprocess, "call", call)
    monkeypatch.setattr(run, "has_program", lambda name: True)
    assert run.test(["-k", "alarms"]) == (1 if failing else 0)
    assert len(commands) == 5 and commands[-1][-2:] == ["-k", "alarms"]
    last = capfd.readouterr().out.strip().splitlines()[-1]
    assert last == (f"Failed: {failing}" if failing else "All steps passed.")


@pytest.mark.parametrize(
    ("there", "may", "installed", "said"),
    [
        (True, True, [], ""),
        (False, True, ["mosquitto"], ""),
        (False, False, ["mosquitto"], "wanted by tests: mosquitto"),
    ],
)
def test_the_peers_of_tests_are_installed_where_that_is_allowed(
    run: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    there: bool,
    may: bool,
    installed: list[str],
    said: str,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(run, "TEST_PACKAGES", {"mosquitto": "mosquitto"})
    monkeypatch.setattr(run.sys, "platform", "linux")
    monkeypatch.setattr(run.shutil, "which", lambda name, path=None: f"/usr/sbin/{name}" if there and path else None)
    monkeypatch.setattr(run, "apt_install", lambda packages: asked.extend(packages) or may)
    run.install_test_programs()
    assert asked == installed
    assert said in capsys.readouterr().out


def test_ci_runs_what_everybody_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.startswith("#!/usr/bin/env bash") and "python3 run.py test" in script
    assert (
        shutil.which("bash") is None
        or subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=False).returncode == 0
    )
