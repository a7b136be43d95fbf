"""The words of `gridroom user`: parsing only."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any


def declare(user: argparse.ArgumentParser, path: Callable[[str], Path]) -> None:
    """Its verbs below the parser of `user`; `path` judges a word that names a file or a folder."""
    verbs = user.add_subparsers(dest="deed", required=True, metavar="add|list|reset|disable|enable")
    add = verbs.add_parser("add", help="make an account; prints its password for one sign-in")
    reset = verbs.add_parser("reset", help="print another password for one sign-in")
    disable = verbs.add_parser("disable", help="lock an account out, at once")
    enable = verbs.add_parser("enable", help="let it in again")
    for parser in (add, reset, disable, enable):
        parser.add_argument("name", metavar="NAME", help="as it is typed at sign-in")
    listing = verbs.add_parser("list", help="print the accounts: name, role, state, last sign-in")
    for parser in (add, listing, reset, disable, enable):
        parser.add_argument("station", metavar="STATION_DIR", type=path, help="folder that holds station.yaml")
        parser.add_argument("--data", type=path, required=True, metavar="DIR", help="data folder")
        parser.set_defaults(parser=parser)
    add.add_argument(
        "--role", required=True, metavar="R", help="administrator, engineer, operator, observer or an own one"
    )
    add.set_defaults(run=lambda o: _room().add(o.station, o.data, o.name, o.role))
    listing.set_defaults(run=lambda o: _room().show(o.station, o.data))
    reset.set_defaults(run=lambda o: _room().reset(o.station, o.data, o.name))
    disable.set_defaults(run=lambda o: _room().set_disabled(o.station, o.data, o.name, disabled=True))
    enable.set_defaults(run=lambda o: _room().set_disabled(o.station, o.data, o.name, disabled=False))


def _room() -> Any:
    return importlib.import_module("app.managing")
