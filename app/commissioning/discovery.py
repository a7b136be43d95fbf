"""Devices that are in the field and in no file yet: looked for, and written as a station file would have them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from app.model.clock import Clock
from app.model.errors import wrong_input
from drivers.contract import Discovering, Proposal
from drivers.registry import driver, names


def discover(word: str, connection: Mapping[str, Any], clock: Clock, seconds: float) -> Sequence[Proposal]:
    """What a driver finds on one connection within `seconds`. Nothing is changed in the field.

    Raises ConfigFaults where the driver cannot look around or the connection is wrong, TransportError where nobody is
    reached, ProtocolError where what answers cannot be understood.
    """
    if word not in names():
        raise wrong_input(f"unknown driver '{word}'", f"write one of: {', '.join(_able())}")
    looking = driver(word)
    if not isinstance(looking, Discovering):
        raise wrong_input(f"driver {word} finds no devices by itself", f"write one of: {', '.join(_able())}")
    try:
        return asyncio.run(looking.discover(connection, clock, seconds))
    except ValueError as error:  # of drivers that judge the connection
        what, _, mend = str(error).partition("; ")
        raise wrong_input(what, mend or "correct the connection") from None


def written(proposals: Sequence[Proposal]) -> str:
    """YAML: `devices` of a station file, each below where it was found."""
    found = CommentedSeq(dict(proposal.device) for proposal in proposals)
    for at, proposal in enumerate(proposals):
        found.yaml_set_comment_before_after_key(at, before=proposal.why, indent=2)
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 4096
    text = io.StringIO()
    yaml.dump({"devices": found}, text)
    return text.getvalue()


def _able() -> list[str]:
    return [word for word in names() if isinstance(driver(word), Discovering)]
