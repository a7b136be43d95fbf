"""Looking for devices that are not in the file yet: what answers becomes a proposal, and nothing is written."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from app.commissioning.errors import EditError
from app.model.clock import Clock
from app.model.commissioning import Proposal
from app.model.connections import SECRET_KEYS, with_tls_files
from app.model.errors import words_of
from app.model.secrets import is_reference
from app.model.text import Text
from drivers.contract import Discovering, Found
from drivers.registry import driver, names

LONGEST_S: Final = 300.0


def discovering() -> tuple[str, ...]:
    """The driver words that can look for devices. Imports the drivers."""
    return tuple(name for name in names() if isinstance(driver(name), Discovering))


async def look_around(
    name: str, connection: Mapping[str, Any], directory: Path, clock: Clock, seconds: float, found: Found
) -> None:
    """Search with the driver `name`; files of `connection` are in the station's `directory`.

    Raises DeviceError, or EditError where it cannot be asked.
    """
    asked = {key: value for key, value in connection.items() if key != "driver"}
    finder: object = driver(name) if name in names() else None
    if not isinstance(finder, Discovering):
        known = ", ".join(discovering())
        raise EditError(
            Text(
                f"driver '{name}' cannot look for devices; these can: {known}",
                f"驱动“{name}”不能搜索设备；可搜索的驱动：{known}",
            )
        )
    if not 0 < seconds <= LONGEST_S:
        raise EditError(
            Text(f"search for up to {LONGEST_S:g} s, not for {seconds:g} s", f"搜索时间应在 {LONGEST_S:g} s 以内")
        )
    for key in SECRET_KEYS:
        if key in asked and not is_reference(asked[key]):
            raise EditError(
                Text(f"{key} is a secret; write secret:NAME or env:NAME", f"{key} 是机密，请写 secret:名称 或 env:名称")
            )

    def tell(proposal: Proposal) -> None:
        found(_as_asked(proposal, asked))

    try:
        await finder.discover(with_tls_files(asked, directory), clock, seconds, tell)
    except ValueError as error:  # keys that the driver does not take
        raise EditError(words_of(error)) from error


def written(proposals: Sequence[Proposal]) -> str:
    """YAML: `devices` of a station file, each below where it was found."""
    found = CommentedSeq(dict(proposal.device) for proposal in proposals)
    for at, proposal in enumerate(proposals):
        found.yaml_set_comment_before_after_key(at, before=proposal.why.en, indent=2)
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 4096
    text = io.StringIO()
    yaml.dump({"devices": found}, text)
    return text.getvalue()


def _as_asked(proposal: Proposal, asked: Mapping[str, Any]) -> Proposal:
    """With the names of its files as a person wrote them, and not where they were found."""
    connection = dict(proposal.device.get("connection") or {})
    if "tls" not in asked or "tls" not in connection:
        return proposal
    return replace(proposal, device={**proposal.device, "connection": {**connection, "tls": asked["tls"]}})
