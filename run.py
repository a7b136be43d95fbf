#!/usr/bin/env python3
"""One command for everything, with nothing but Python: python3 run.py [setup | test | VERB ...].

    python3 run.py                 set up what is missing, then open the console on the demo station
    python3 run.py setup           only set up
    python3 run.py test            run everything that CI runs; --nightly adds the slow tests
    python3 run.py VERB ...        gridroom VERB ..., for instance: check my_station, engine my_station --data DIR

Only the standard library, and only syntax that an old Python can read far enough to be told that it is too old.
"""

import glob
import hashlib
import os
import shutil
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 13)
ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")
EXE = ".exe" if os.name == "nt" else ""
PYTHON = os.path.join(BIN, "python" + EXE)
STAMP = os.path.join(VENV, "gridroom-set-up")
SCREEN = " with a screen"  # ends the stamp once the libraries of a real display have been seen to
LOCK = os.path.join(ROOT, "requirements.lock")
IEC104_LOCK = os.path.join(ROOT, "requirements-iec104.lock")  # GPL-3.0, not for every system: docs/decisions/0003
PROJECT = os.path.join(ROOT, "pyproject.toml")

# What Qt loads on Debian and Ubuntu: file name -> package. The second group only for a real display.
OFFSCREEN = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libOpenGL.so.0": "libopengl0",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
}
DISPLAY = {
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb-glx.so.0": "libxcb-glx0",
}
# Programs that tests talk to: program -> package.
TEST_PACKAGES = {
    "mosquitto": "mosquitto",
    "tshark": "tshark",
    "initdb": "postgresql",
    "gnome-keyring-daemon": "gnome-keyring",
    "dbus-run-session": "dbus",
}
CJK_FONTS = ("cjk", "wqy", "sourcehan", "uming", "ukai", "droidsansfallback", "simsun", "msyh")

NO_DISPLAY = "There is no display here: the demo station runs without a screen, with a status line a second."
NO_IEC104 = "IEC 60870-5-104 cannot be spoken on this machine: its library c104 is not made for it. All else works."
GET_WINDOW = "For the window, run this on a desktop, or connect with 'ssh -X' and start again. Ctrl-C ends it."


class Trouble(Exception):
    """The set-up cannot go on; the message says why and what to do."""


def main(arguments: "list[str]") -> int:
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        here = "{}.{}".format(*sys.version_info[:2])
        print("Gridroom needs Python 3.11, 3.12 or 3.13; this is {}: run it with one of those.".format(here))
        return 2
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    try:
        set_up()
    except Trouble as trouble:
        print("run.py: {}".format(trouble), file=sys.stderr)
        return 1
    if arguments[:1] == ["setup"]:
        return 0
    if arguments[:1] == ["test"]:
        return test(arguments[1:])
    if not arguments and not has_display():
        print(NO_DISPLAY, GET_WINDOW, sep="\n", flush=True)
        arguments = ["engine", "demo", "--status-every", "1s"]
    return hand_over([tool("gridroom"), *arguments])


# ------------------------------------------------------------------------------------------------------------ set-up


def set_up() -> None:
    """Make `.venv` whole. What was done is stamped last, so that an interrupted set-up is taken up again."""
    done, due = stamped(), fingerprint()
    if done == due + SCREEN or (done == due and not has_screen()):
        return
    if done == due:  # all but the libraries of a screen, which was not there before
        check_system()
    else:
        print("Setting up Gridroom in {} (once; it takes a few minutes) ...".format(VENV), flush=True)
        pip = make_venv()
        install(pip, ["--require-hashes", "-r", LOCK])
        if not installs(pip, ["--require-hashes", "--only-binary", ":all:", "-r", IEC104_LOCK]):
            print(NO_IEC104)
        install(pip, ["--no-deps", "--no-build-isolation", "-e", ROOT])
        check_system()
        print("Set up.", flush=True)
    with open(STAMP, "w", encoding="utf-8") as file:
        file.write(due + (SCREEN if has_screen() else ""))


def fingerprint() -> str:
    """Changes when a set-up is due: other pins, another Python, another place."""
    digest = hashlib.sha256()
    for lock in (LOCK, IEC104_LOCK):
        with open(lock, "rb") as file:
            digest.update(file.read())
    with open(PROJECT, "rb") as file:
        digest.update(file.read().split(b"[tool.", 1)[0])
    digest.update(repr((sys.version_info[:2], sys.base_prefix, ROOT)).encode())
    return digest.hexdigest()


def stamped() -> str:
    try:
        with open(STAMP, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def make_venv() -> "list[str]":
    """A virtual environment of this Python; returns the command that is its pip."""
    pip = find_pip() if fits() else []
    if pip:
        return pip
    shutil.rmtree(VENV, ignore_errors=True)
    if not succeeds([sys.executable, "-m", "venv", VENV]):
        shutil.rmtree(VENV, ignore_errors=True)  # a Debian without ensurepip leaves half of one
        if not succeeds([sys.executable, "-m", "venv", "--without-pip", VENV]):
            raise Trouble("no virtual environment can be made in {}; is the folder writable?".format(ROOT))
    pip = find_pip()
    if pip:
        return pip
    package = "python{}.{}-venv".format(*sys.version_info[:2])
    if not apt_install([package]):
        raise Trouble("this Python has no pip; run: sudo apt-get install {} - and start again".format(package))
    shutil.rmtree(VENV, ignore_errors=True)
    if not succeeds([sys.executable, "-m", "venv", VENV]):
        raise Trouble("this Python cannot make a virtual environment, even with {} installed".format(package))
    return [PYTHON, "-m", "pip"]


def find_pip() -> "list[str]":
    """The pip inside `.venv`, else the one of this Python, which can work on `.venv` from outside; else nothing."""
    for pip in ([PYTHON, "-m", "pip"], [sys.executable, "-m", "pip", "--python", PYTHON]):
        if succeeds([*pip, "--version"]):
            return pip
    return []


def fits() -> bool:
    """Whether `.venv` is of this Python and was made in this place: the scripts of a moved one are dead."""
    question = "import sys; print(sys.version_info[:2], sys.base_prefix)"
    expected = "{} {}".format(sys.version_info[:2], sys.base_prefix)
    try:
        answer = subprocess.run([PYTHON, "-c", question], stdout=subprocess.PIPE, universal_newlines=True, check=True)
        with open(os.path.join(VENV, "pyvenv.cfg"), encoding="utf-8") as file:
            made = [line.split("=", 1)[1].strip() for line in file if line.startswith("command =")]
    except (OSError, subprocess.CalledProcessError):
        return False
    return answer.stdout.strip() == expected and bool(made) and made[0].endswith(" " + VENV)


def install(pip: "list[str]", what: "list[str]") -> None:
    if not installs(pip, what):
        raise Trouble("pip could not install; look above, mend it (is there a network?), and start again")


def installs(pip: "list[str]", what: "list[str]") -> bool:
    command = [*pip, "install", "--quiet", "--quiet", "--disable-pip-version-check", "--no-input", *what]
    return subprocess.call(command, env=environment()) == 0


def succeeds(command: "list[str]") -> bool:
    try:
        return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


# ------------------------------------------------------------------------------------- system libraries and fonts


def check_system() -> None:
    """On Debian and Ubuntu: what Qt needs of the system. Installed where this user may, else the command is told."""
    if not sys.platform.startswith("linux") or shutil.which("apt-get") is None:
        return
    missing = missing_libraries() + ([] if has_cjk_font() else ["fonts-noto-cjk"])
    if missing and not apt_install(missing):
        print("Some system packages are missing. Please run: sudo apt-get install {}".format(" ".join(missing)))


def missing_libraries() -> "list[str]":
    wanted = dict(OFFSCREEN, **(DISPLAY if has_screen() else {}))
    ldconfig = shutil.which("ldconfig") or "/sbin/ldconfig"
    try:
        known = subprocess.run([ldconfig, "-p"], stdout=subprocess.PIPE, universal_newlines=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    names = {line.split()[0] for line in known.splitlines() if line.startswith("\t")}
    return sorted(package for name, package in wanted.items() if name not in names)


def install_test_programs() -> None:
    """The peers of tests, where this user may install them. Without one, a stand-in serves, or the run says so."""
    missing = sorted(package for program, package in TEST_PACKAGES.items() if not has_program(program))
    if missing and not (sys.platform.startswith("linux") and apt_install(missing)):
        print("Not installed, and wanted by tests: {}".format(" ".join(missing)), flush=True)


def has_program(name: str) -> bool:
    """Debian keeps servers where only root's PATH looks, and PostgreSQL where nobody's does."""
    of_postgresql = ":".join(glob.glob("/usr/lib/postgresql/*/bin"))
    return any(shutil.which(name, path=path) for path in (None, "/usr/sbin:/usr/local/sbin", of_postgresql))


def has_cjk_font() -> bool:
    folders = ["/usr/share/fonts", "/usr/local/share/fonts", os.path.expanduser("~/.fonts")]
    folders.append(os.path.expanduser("~/.local/share/fonts"))
    files = (name.lower().replace("-", "") for top in folders for _, _, names in os.walk(top) for name in names)
    return any(mark in name for name in files for mark in CJK_FONTS)


def apt_install(packages: "list[str]") -> bool:
    """Install Debian packages as root or by a sudo that does not ask; False where neither is possible."""
    if shutil.which("apt-get") is None:
        return False
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        before = []  # type: list[str]
    elif shutil.which("sudo") and succeeds(["sudo", "-n", "true"]):
        before = ["sudo", "-n"]
    else:
        return False
    print("Installing system packages: {} ...".format(" ".join(packages)), flush=True)
    quiet = dict(environment(), DEBIAN_FRONTEND="noninteractive")
    update = [*before, "apt-get", "update", "-qq"]
    command = [*before, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    return all(subprocess.call(step, env=quiet, stdout=subprocess.DEVNULL) == 0 for step in (update, command))


# ------------------------------------------------------------------------------------------------------ running


def has_display() -> bool:
    """Whether Qt can draw somewhere, be it into memory; only Linux can be without."""
    return not sys.platform.startswith("linux") or has_screen() or bool(os.environ.get("QT_QPA_PLATFORM"))


def has_screen() -> bool:
    """Whether X11 or Wayland is there."""
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def environment() -> "dict[str, str]":
    return dict(os.environ, PYTHONUTF8="1")


def tool(name: str) -> str:
    """A program of `.venv`, by its own name: `-m` would take a folder of that name where the person stands."""
    return os.path.join(BIN, name + EXE)


def hand_over(command: "list[str]") -> int:
    """Become the command where the system can, else wait for it; its exit code is ours."""
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], command, environment())  # noqa: S606 (there is no shell)
    process = subprocess.Popen(command, env=environment())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the child has had it as well, and ends in its own order
            continue


def test(arguments: "list[str]") -> int:
    """Everything that CI runs, to the end even when a step fails. Further words go to pytest."""
    install_test_programs()
    steps = [
        ("ruff check", [tool("ruff"), "check", "."]),
        ("ruff format", [tool("ruff"), "format", "--check", "--quiet", "."]),
        ("mypy", [tool("mypy")]),
        ("import-linter", [tool("lint-imports"), "--no-cache"]),
        # A file stays on one core: what it starts for all of its tests is started once.
        ("pytest", [PYTHON, "-m", "pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", *arguments]),
    ]
    failed = []
    for name, command in steps:
        print("\n=== {} ===".format(name), flush=True)
        if subprocess.call(command, cwd=ROOT, env=environment()) != 0:
            failed.append(name)
    print("\nFailed: {}".format(", ".join(failed)) if failed else "\nAll steps passed.", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
