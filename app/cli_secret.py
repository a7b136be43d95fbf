"""The words of `gridroom secret`: parsing only. No value is among them."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any


def declare(secret: argparse.ArgumentParser, path: Callable[[str], Path]) -> None:
    """Its verbs below the parser of `secret`; `path` judges a word that names a file or a folder."""
    verbs = secret.add_subparsers(dest="deed", required=True, metavar="set|list|forget")
    put = verbs.add_parser("set", help="store a secret; its value is read from standard input")
    listing = verbs.add_parser("list", help="print names, where they are kept, who asks for them; never a value")
    forget = verbs.add_parser("forget", help="remove one")
    for parser in (put, forget):
        parser.add_argument("name", metavar="NAME", help="as in `password: secret:NAME`")
    for parser in (put, listing, forget):
        parser.add_argument("station", metavar="STATION_DIR", type=path, help="folder that holds station.yaml")
        parser.add_argument("--data", type=path, required=True, metavar="DIR", help="data folder")
        parser.set_defaults(parser=parser)
    put.add_argument(
        "--sealed",
        action="store_true",
        help="with the key file, not in your keyring: for an engine run by another user",
    )
    put.set_defaults(run=lambda o: _room().put(o.station, o.data, o.name, sealed=o.sealed))
    listing.set_defaults(run=lambda o: _room().show(o.station, o.data))
    forget.set_defaults(run=lambda o: _room().forget(o.station, o.data, o.name))


def _room() -> Any:
    return importlib.import_module("app.secret_verbs")
