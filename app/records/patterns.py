"""Shell patterns in SQL, the same in every database."""

from __future__ import annotations

import re

from sqlalchemy import ColumnElement, Connection, String, func


def matches(connection: Connection, column: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    """Whether a text matches a shell pattern: `*`, `?`, `[abc]`, `[!abc]`; `*` crosses dots."""
    if connection.dialect.name == "sqlite":
        # SQLite's GLOB is the shell's, but for how it writes "none of these".
        return column.op("GLOB", is_comparison=True)(pattern.replace("[!", "[^"))
    return column.op("~", is_comparison=True)(_expression(pattern))


def contains(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether a text holds another anywhere, without regard to the case of Latin letters; nothing in it is special."""
    return func.lower(column, type_=String).contains(text.lower(), autoescape=True)


def _expression(pattern: str) -> str:
    """A shell pattern as a regular expression of PostgreSQL's."""
    result = ""
    at = 0
    while at < len(pattern):
        c = pattern[at]
        end = pattern.find("]", at + (3 if pattern[at + 1 : at + 2] == "!" else 2)) if c == "[" else -1
        if c in "*?":
            result += ".*" if c == "*" else "."
        elif end > 0:
            inner = pattern[at + 1 : end].replace("\\", "\\\\")
            result += f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
            at = end
        else:
            result += re.escape(c)
        at += 1
    return f"^({result})$"
