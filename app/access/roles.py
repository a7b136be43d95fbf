"""The roles that every station has. Own ones are copies of them, and lie in the records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.model.access import Action, Grant, RoleRow
from app.model.text import Text

ADMINISTRATOR: Final = "administrator"
ENGINEER: Final = "engineer"
OPERATOR: Final = "operator"
OBSERVER: Final = "observer"

NOBODY: Final = frozenset({Grant(Action.VIEW)})
"""At a console where nobody is signed in: a control room's screen shows, and does nothing."""


def _given(name: str, label: Text, *actions: Action) -> RoleRow:
    return RoleRow(name, label, frozenset(map(Grant, actions)), given=True)


GIVEN: Final[Mapping[str, RoleRow]] = {
    role.name: role
    for role in (
        _given(ADMINISTRATOR, Text("administrator", "管理员"), *Action),
        _given(
            ENGINEER, Text("engineer", "工程师"),
            Action.VIEW, Action.EXPORT, Action.ACKNOWLEDGE, Action.PROBE, Action.COMMAND, Action.STRATEGIES,
            Action.CONFIGURE, Action.SECRETS, Action.AUDIT,
        ),
        _given(
            OPERATOR, Text("operator", "值班员"),
            Action.VIEW, Action.EXPORT, Action.ACKNOWLEDGE, Action.PROBE, Action.COMMAND,
        ),
        _given(OBSERVER, Text("observer", "观察员"), Action.VIEW),
    )
}  # fmt: skip
