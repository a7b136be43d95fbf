"""The words of `gridroom audit`: parsing only."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any


def declare(audit: argparse.ArgumentParser, path: Callable[[str], Path]) -> None:
    """Its two verbs below the parser of `audit`; `path` judges a word that names a file or a folder."""
    verbs = audit.add_subparsers(dest="deed", required=True, metavar="verify|export")
    verify = verbs.add_parser("verify", help="look at every row of the chain; exit 0, or 1 with the first faulty row")
    export = verbs.add_parser("export", help="write the audit to CSV or Excel")
    for parser in (verify, export):
        parser.add_argument("station", metavar="STATION_DIR", type=path, help="folder that holds station.yaml")
        parser.add_argument("--data", type=path, required=True, metavar="DIR", help="data folder")
        parser.set_defaults(parser=parser)
    verify.add_argument(
        "--heads", type=path, nargs="+", action="extend", default=[], metavar="FILE", help="more heads, kept elsewhere"
    )
    export.add_argument("-o", "--output", type=path, required=True, metavar="FILE", help=".csv or .xlsx")
    export.add_argument("--from", dest="start", metavar="T", help="ISO 8601; without an offset the station's zone")
    export.add_argument("--to", dest="end", metavar="T", help="ISO 8601, not included")
    verify.set_defaults(run=lambda o: _room().verify(o.station, o.data, o.heads))
    export.set_defaults(run=lambda o: _room().export(o.station, o.data, o.output, o.start, o.end))


def _room() -> Any:
    return importlib.import_module("app.auditing")
