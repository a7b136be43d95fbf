"""The command line: parsing only. Each verb hands over to the room that does it."""

from __future__ import annotations

import argparse
import importlib
import io
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from app import __version__, cli_audit, cli_secret, cli_user
from app.model.durations import parse_duration_s
from app.model.errors import ConfigFaults, GridroomError

DONE: Final = 0
FAILED: Final = 1
WRONG_INPUT: Final = 2
TRACEBACK: Final = "GRIDROOM_TRACEBACK"
"""Set in the environment, an error that nobody foresaw is raised as it is."""
_DEMO: Final = "demo"

_VERBS: Final = (
    "console",
    "engine",
    "check",
    "discover",
    "sim",
    "export",
    "backtest",
    "screenshots",
    "bench",
    "schema",
    "audit",
    "user",
    "secret",
)


class _Words(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Examples as written, defaults named where there are any."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code: 0 done, 1 failed while running, 2 wrong input."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names are Chinese, and some terminals are not; what is not a terminal is a file, and files are UTF-8.
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    if not words or (words[0] not in _VERBS and words[0] not in ("-h", "--help", "--version")):
        if words and _is_no_station(words[0]):
            near = get_close_matches(words[0], _VERBS, 1)
            mend = f"did you mean '{near[0]}'?" if near else f"the verbs are {' '.join(_VERBS)}"
            parser.error(f"'{words[0]}' is neither a verb nor the folder of a station; {mend}")
        words.insert(0, "console")
    options, unknown = parser.parse_known_args(words)
    if unknown:
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}; see gridroom {options.verb} --help")
    try:
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except ConfigFaults as faults:
        print(faults, file=sys.stderr)
        return WRONG_INPUT
    except GridroomError as error:
        print(f"gridroom {options.verb}: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # who reads our output has had enough, such as `head`
        _import("app.headless").forget_output()
        return FAILED
    except KeyboardInterrupt:
        print(f"gridroom {options.verb}: interrupted before it was done; start it again", file=sys.stderr)
        return FAILED
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        print(f"gridroom {options.verb}: {_import('app.logs').last_words(error)}", file=sys.stderr)
        return FAILED


def _is_no_station(word: str) -> bool:
    return not word.startswith("-") and word != _DEMO and not Path(word).is_dir()


def _path(text: str) -> Path:
    if not text.strip():  # such as an unset variable of a script; it would mean the folder one stands in
        raise argparse.ArgumentTypeError("an empty text names no file or folder; write its path, or . for this folder")
    return Path(text)


def _duration(text: str) -> float:
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _pace(text: str) -> float:
    """How often something is printed: no faster than anybody reads."""
    seconds = _duration(text)
    if seconds < 0.1:
        raise argparse.ArgumentTypeError(f"'{text}' is too often; write 100ms or more, such as 1s")
    return seconds


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0; write one such as 10")
    return number


def _sizes(text: str) -> list[tuple[int, int]]:
    """Of windows: from what a page needs to what a picture of it can be."""
    found = []
    for one in text.split(","):
        match = re.fullmatch(r"([0-9]{3,5})x([0-9]{3,5})", one.strip())
        width, height = (int(match[1]), int(match[2])) if match else (0, 0)
        if not (320 <= width <= 7680 and 240 <= height <= 4320):
            raise argparse.ArgumentTypeError(
                f"'{one}' is not the size of a window; write WIDTHxHEIGHT from 320x240 to 7680x4320, such as 1366x768"
            )
        found.append((width, height))
    return found


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"'{text}' is not a port; write 1 to 65535, or 0 for free ones")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gridroom",
        formatter_class=_Words,
        description="The control room of an energy station: acquire, judge, trend, alarm, store.",
        epilog="first steps:\n"
        "  gridroom                          the console on the demo station\n"
        "  gridroom check my_station         is my config right?\n"
        "  gridroom sim my_station           play its devices on this machine\n"
        "  gridroom console my_station       the console on my station\n\n"
        "exit codes: 0 done, 1 failed while running, 2 wrong input",
    )
    parser.add_argument("--version", action="version", version=f"gridroom {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for declare in (
        _console,
        _engine,
        _check,
        _discover,
        _sim,
        _export,
        _backtest,
        _screenshots,
        _bench,
        _schema,
        _audit,
        _user,
        _secret,
    ):
        declare(verbs)
    return parser


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help_: str, example: str
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(
        name, help=help_, description=help_, epilog=f"example:\n  {example}", formatter_class=_Words
    )
    parser.set_defaults(parser=parser)
    return parser


def _station(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    help_ = "folder that holds station.yaml; the word demo means the demo station"
    parser.add_argument(
        "station", metavar="STATION_DIR", type=_path, nargs="?" if optional else None, default=Path(_DEMO), help=help_
    )


def _console(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _verb(
        verbs,
        "console",
        "Open the operator console on a station.",
        "gridroom console station_configs/demo --data ~/demo",
    )
    _station(parser, optional=True)
    parser.add_argument(
        "--data", type=_path, metavar="DIR", help="data folder; without it one in the user's own place, by station id"
    )
    parser.add_argument(
        "--overlay", type=_path, metavar="FILE", help="file that maps connections elsewhere, as gridroom sim prints it"
    )
    parser.set_defaults(run=lambda o: _import("app.console.start").console(o.station, o.data, o.overlay))


def _engine(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _verb(
        verbs,
        "engine",
        "Run a station without a screen.",
        "gridroom engine my_station --data /var/lib/gridroom/my_station",
    )
    _station(parser)
    parser.add_argument("--data", type=_path, metavar="DIR", help="data folder (required, but for the demo station)")
    parser.add_argument(
        "--overlay", type=_path, metavar="FILE", help="file that maps connections elsewhere, as gridroom sim prints it"
    )
    parser.add_argument("--duration", type=_duration, metavar="30s", help="stop after this time")
    parser.add_argument("--status-every", type=_pace, metavar="1s", help="print a status line this often")
    parser.set_defaults(
        run=lambda o: _import("app.headless").engine(o.station, o.data, o.overlay, o.duration, o.status_every)
    )


def _check(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _verb(
        verbs, "check", "Judge a station's files: exit 0, or 2 with one line a fault.", "gridroom check my_station"
    )
    _station(parser)
    parser.add_argument("--overlay", type=_path, metavar="FILE", help="judge it with this overlay")
    parser.set_defaults(run=lambda o: _import("app.headless").check(o.station, o.overlay))


def _discover(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _verb(
        verbs,
        "discover",
        "Look for devices in the field, and print them as a station file would have them.",
        "gridroom discover mqtt host=192.168.1.5 user=gridroom password=env:BROKER1 > found.yaml",
    )
    parser.add_argument("driver", metavar="DRIVER", help="as in `connection: {driver: ...}`")
    parser.add_argument("keys", metavar="KEY=VALUE", nargs="*", help="what else `connection` says, such as host=NAME")
    parser.add_argument("--listen", type=_duration, default="10s", metavar="10s", help="look around for this long")
    parser.set_defaults(run=lambda o: _import("app.headless").discover(o.driver, o.keys, o.listen))


def _audit(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _verb(
        verbs,
        "audit",
        "Verify the audit of a station, or write it to CSV or Excel.",
        "gridroom audit verify my_station --data DIR",
    )
    cli_audit.declare(parser, _path)


def _user(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _verb(
        verbs,
        "user",
        "Manage the accounts of a station without a screen.",
        "gridroom user add li my_station --data DIR --role operator",
    )
    cli_user.declare(parser, _path)


def _secret(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _verb(
        verbs,
        "secret",
        "Store, list and forget the passwords, tokens and keys that a station's files name.",
        "gridroom secret set broker1 my_station --data DIR < broker1.txt",
    )
    cli_secret.declare(parser, _path)


def _sim(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _verb(
        verbs,
        "sim",
        "Serve a station's devices on loopback, as real protocol servers.",
        "gridroom sim my_station -o overlay.yaml",
    )
    _station(parser)
    parser.add_argument("-o", "--overlay", type=_path, metavar="FILE", help="write the overlay there as well")
    parser.add_argument(
        "--time-factor", type=_positive, default=1.0, metavar="N", help="how much faster than the clock the park lives"
    )
    parser.add_argument("--start", metavar="TIME", help="the park's time at the start, ISO 8601; without it now")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another number, another weather")
    parser.add_argument("--base-port", type=_port, default=0, metavar="N", help="first port; 0 takes free ones")
    parser.add_argument("--duration", type=_duration, metavar="30s", help="stop after this time")
    parser.set_defaults(
        run=lambda o: _import("app.headless").sim(
            o.station,
            o.overlay,
            time_factor=o.time_factor,
            start=o.start,
            seed=o.seed,
            base_port=o.base_port,
            duration_s=o.duration,
        )
    )


def _export(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _verb(
        verbs, "export", "Write history to CSV, Excel or Parquet.",
        "gridroom export my_station --data DIR --points '*.p_kw' --from 2026-11-20 --to 2026-11-21 -o day.xlsx",
    )  # fmt: skip
    _station(parser)
    parser.add_argument("--data", type=_path, required=True, metavar="DIR", help="data folder")
    parser.add_argument("--points", required=True, metavar="GLOB", help="shell pattern on full names; * crosses dots")
    parser.add_argument(
        "--from", dest="start", required=True, metavar="T", help="ISO 8601; without an offset the station's zone"
    )
    parser.add_argument("--to", dest="end", required=True, metavar="T", help="ISO 8601, not included")
    parser.add_argument(
        "--every", choices=("raw", "1s", "5s", "15min", "1h"), default="raw", help="stored samples, or a tier"
    )
    parser.add_argument("-o", "--output", type=_path, required=True, metavar="FILE", help=".csv, .xlsx or .parquet")
    parser.set_defaults(
        run=lambda o: _import("app.headless").export(
            o.station, o.data, o.points, start=o.start, end=o.end, every=o.every, output=o.output
        )
    )


def _backtest(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _verb(
        verbs, "backtest", "Run strategies over recorded history, and compare with doing nothing.",
        "gridroom backtest my_station --data DIR --strategies strategies.yaml --from 2026-01-01 --to 2026-02-01",
    )  # fmt: skip
    _station(parser)
    parser.add_argument("--data", type=_path, required=True, metavar="DIR", help="data folder")
    parser.add_argument("--strategies", type=_path, required=True, metavar="FILE", help="as strategies.yaml")
    zone = "ISO 8601; without an offset the station's zone"
    parser.add_argument("--from", dest="start", required=True, metavar="T", help=zone)
    parser.add_argument("--to", dest="end", required=True, metavar="T", help="ISO 8601, not included")
    parser.add_argument("-o", "--output", type=_path, metavar="FILE", help="write the curves as CSV")
    parser.set_defaults(
        run=lambda o: _import("app.backtesting").run(o.station, o.data, o.strategies, o.start, o.end, o.output)
    )


def _screenshots(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _verb(
        verbs,
        "screenshots",
        "Render every page of the console as PNG, without a display.",
        "gridroom screenshots -o pictures",
    )
    _station(parser, optional=True)
    parser.add_argument("-o", "--output", type=_path, required=True, metavar="DIR", help="folder for the pictures")
    parser.add_argument("--data", type=_path, help="data folder whose history is shown; without it an empty one")
    parser.add_argument("--overlay", type=_path, metavar="FILE", help="file that maps connections elsewhere")
    parser.add_argument("--warm", type=_duration, default=20.0, metavar="20s", help="run the station this long first")
    parser.add_argument("--sizes", type=_sizes, default="1366x768,2560x1440", help="window sizes")
    parser.set_defaults(
        run=lambda o: _import("app.console.start").screenshots(
            o.station, o.output, o.overlay, data=o.data, warm_s=o.warm, sizes=o.sizes
        )
    )


def _bench(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _verb(
        verbs, "bench", "Measure, beside a physical limit of the same run.", "gridroom bench acquisition --json"
    )
    names = "acquisition history trend alarms control console cleaning audit iec104 mqtt mixed faults"
    parser.add_argument("name", metavar="NAME", help=names)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--seconds", type=_positive, metavar="N", help="run each measurement this long instead of the issue's time"
    )
    parser.set_defaults(run=lambda o: _import("app.bench").run(o.name, json=o.json, seconds=o.seconds))


def _schema(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _verb(
        verbs,
        "schema",
        "Print the JSON Schema of station, template or northbound files, for editors.",
        "gridroom schema station > station.schema.json",
    )
    parser.add_argument("form", choices=("station", "template", "northbound", "strategies"), help="which file")
    parser.set_defaults(run=lambda o: _import("app.headless").schema(o.form))


def _import(module: str) -> Any:
    """Import a room only when its verb is called: `check` must not load Qt, and `--help` nothing at all."""
    return importlib.import_module(module)
