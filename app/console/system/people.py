"""Users, roles and sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtWidgets import QComboBox, QLineEdit

from app.console.pages.page import Context
from app.console.tab import Tab, fill
from app.model.access import ACTION_NAMES, WHOLE_STATION, Action, Grant, RoleRow, SessionRow, UserRow
from app.model.errors import GridroomError
from app.model.text import Text
from widgets import language
from widgets.language import tr


def _read(tab: Tab, call: Callable[[], list[object]]) -> list[object]:
    try:
        return call()
    except GridroomError as error:  # it was allowed a moment ago
        tab.refuse(error)
        return []


class UsersTab(Tab):
    title = "Users"
    reads = "accounts.users"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.name, self.role = QLineEdit(), QComboBox()
        self.role.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.role.setMinimumWidth(150)
        self.verbs.addWidget(self.name, 1)
        self.verbs.addWidget(self.role)
        self._add, self._give = self.verb(self._on_add), self.verb(self._on_give)
        self.verbs.addSpacing(12)
        self._reset, self._disable = self.verb(self._on_reset), self.verb(self._on_disable)
        self.users = self.table(
            ("Name", "Role", "State", "Last sign-in", "Password since"),
            (200, 160, 220, 180, 180),
            self._tell,
            stretch=0,
        )
        self.column.addWidget(self.users, 1)
        self.name.textChanged.connect(lambda *_: self.show_rights())

    def _tell(self, row: UserRow) -> list[str]:
        state = tr("disabled") if row.disabled else tr("must change the password") if row.must_change else tr("enabled")
        return [
            row.name,
            self._label(row.role),
            state,
            self.moment(row.last_sign_in),
            self.moment(row.password_changed),
        ]

    def _label(self, role: str) -> str:
        position = self.role.findData(role)
        return self.role.itemText(position) if position >= 0 else role

    def read(self) -> None:
        roles: list[RoleRow] = _read(self, self.context.facade.accounts.roles)  # type: ignore[arg-type,assignment]
        chosen = self.role.currentData()
        self.role.clear()
        for role in roles:
            self.role.addItem(role.label.in_(language.name()), role.name)
        self.role.setCurrentIndex(max(self.role.findData(chosen), 0))
        fill(self, self.users, _read(self, self.context.facade.accounts.users))  # type: ignore[arg-type]

    def clear(self) -> None:
        self.users.rows_model.set_rows([])

    def retranslate(self) -> None:
        self.name.setPlaceholderText(tr("Name of a new user"))
        self.name.setAccessibleName(tr("Name of a new user"))
        self.role.setAccessibleName(tr("Role"))
        self._add.setText(tr("Add user"))
        self._give.setText(tr("Give this role"))
        self._reset.setText(tr("Reset password"))
        self.show_rights()

    def show_rights(self) -> None:
        row: UserRow | None = self.users.chosen()
        self._disable.setText(tr("Enable") if row is not None and row.disabled else tr("Disable"))
        self.may(self._add, "accounts.add", able=bool(self.name.text().strip()))
        self.may(self._give, "accounts.set_role", able=row is not None)
        self.may(self._reset, "accounts.reset", able=row is not None)
        self.may(self._disable, "accounts.set_disabled", able=row is not None)

    def _on_add(self) -> None:
        name, role = self.name.text().strip(), str(self.role.currentData())

        def done(password: str) -> None:
            self.name.clear()
            self._hand_out(name, password)

        self.do(lambda: self.context.facade.accounts.add(name, role), done)

    def _on_reset(self) -> None:
        row: UserRow = self.users.chosen()
        self.do(lambda: self.context.facade.accounts.reset(row.name), lambda word: self._hand_out(row.name, word))

    def _hand_out(self, name: str, password: str) -> None:
        self.say(tr("{name} signs in once with {password}, and then chooses another. It is kept nowhere.",
                    name=name, password=password))  # fmt: skip

    def _on_disable(self) -> None:
        row: UserRow = self.users.chosen()
        self.do(lambda: self.context.facade.accounts.set_disabled(row.name, not row.disabled), lambda _: None)

    def _on_give(self) -> None:
        row, role = self.users.chosen(), str(self.role.currentData())
        self.do(lambda: self.context.facade.accounts.set_role(row.name, role), lambda _: None)


class RolesTab(Tab):
    """A given role is copied; what the copy may is a line: `acknowledge`, or `acknowledge@bus_a` for an area."""

    title = "Roles"
    reads = "accounts.roles"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.name, self.grants = QLineEdit(), QLineEdit()
        self.verbs.addWidget(self.name, 1)
        self._copy = self.verb(self._on_copy)
        self.verbs.addSpacing(12)
        self.verbs.addWidget(self.grants, 3)
        self._change, self._remove = self.verb(self._on_change), self.verb(self._on_remove)
        self.roles = self.table(("Role", "Id", "May"), (180, 180, 600), self._tell, stretch=2)
        self.column.addWidget(self.roles, 1)
        self.roles.selectionModel().selectionChanged.connect(lambda *_: self._write_grants())
        for line in (self.name, self.grants):
            line.textChanged.connect(lambda *_: self.show_rights())

    def _tell(self, row: RoleRow) -> list[str]:
        tongue = language.name()
        words = []
        for grant in _sorted(row.grants):
            where = "" if grant.area == WHOLE_STATION else f" ({grant.area})"
            words.append(ACTION_NAMES[grant.action].in_(tongue) + where)
        return [row.label.in_(tongue), row.name, ("、" if tongue == "zh" else ", ").join(words)]

    def read(self) -> None:
        fill(self, self.roles, _read(self, self.context.facade.accounts.roles))  # type: ignore[arg-type]

    def clear(self) -> None:
        self.roles.rows_model.set_rows([])

    def retranslate(self) -> None:
        self.name.setPlaceholderText(tr("Name of a new role"))
        self.name.setAccessibleName(tr("Name of a new role"))
        self.grants.setPlaceholderText(tr("What an own role may: view, acknowledge@AREA"))
        self.grants.setAccessibleName(tr("What an own role may: view, acknowledge@AREA"))
        self._copy.setText(tr("Copy role"))
        self._change.setText(tr("Change role"))
        self._remove.setText(tr("Remove role"))
        self.show_rights()

    def show_rights(self) -> None:
        row: RoleRow | None = self.roles.chosen()
        own = row is not None and not row.given
        self.grants.setEnabled(own)
        self.may(self._copy, "accounts.copy_role", able=row is not None and bool(self.name.text().strip()))
        self.may(self._change, "accounts.change_role", able=own)
        self.may(self._remove, "accounts.remove_role", able=own)

    def _write_grants(self) -> None:
        row: RoleRow | None = self.roles.chosen()
        self.grants.setText("" if row is None else written(row.grants))

    def _on_copy(self) -> None:
        row, name = self.roles.chosen(), self.name.text().strip()
        self.do(lambda: self.context.facade.accounts.copy_role(row.name, name, Text.of(name)),
                lambda _: self.name.clear())  # fmt: skip

    def _on_change(self) -> None:
        row: RoleRow = self.roles.chosen()
        try:
            grants = read_grants(self.grants.text())
        except ValueError as error:
            known = ", ".join(Action)
            self.say(tr("'{word}' is no right; the rights are {known}", word=error.args[0], known=known), bad=True)
            return
        self.do(lambda: self.context.facade.accounts.change_role(row.name, row.label, grants), lambda _: None)

    def _on_remove(self) -> None:
        row: RoleRow = self.roles.chosen()
        self.do(lambda: self.context.facade.accounts.remove_role(row.name), lambda _: None)


def _sorted(grants: Iterable[Grant]) -> list[Grant]:
    return sorted(grants, key=lambda one: (list(ACTION_NAMES).index(one.action), one.area))


def written(grants: Iterable[Grant]) -> str:
    """Grants as a line of words."""
    return ", ".join(one.action + ("" if one.area == WHOLE_STATION else f"@{one.area}") for one in _sorted(grants))


def read_grants(text: str) -> set[Grant]:
    """The grants that a line of words means. Raises ValueError with the word that is none."""
    grants = set()
    for word in text.replace("，", ",").replace("、", ",").split(","):
        action, _, area = word.strip().partition("@")
        if action not in list(Action) or (area == "" and "@" in word):
            raise ValueError(word.strip())
        grants.add(Grant(Action(action), area or WHOLE_STATION))
    return grants


class SessionsTab(Tab):
    title = "Sessions"
    reads = "accounts.sessions"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._end = self.verb(self._on_end)
        self.verbs.addStretch(1)
        self.sessions = self.table(
            ("Name", "Role", "From", "Since", "Last seen", "State"),
            (160, 140, 300, 180, 180, 120),
            self._tell,
            stretch=2,
        )
        self.column.addWidget(self.sessions, 1)

    def _tell(self, row: SessionRow) -> list[str]:
        state = tr("locked") if row.locked else tr("open")
        return [row.user, row.role, row.origin, self.moment(row.since), self.moment(row.last_seen), state]

    def read(self) -> None:
        fill(self, self.sessions, _read(self, self.context.facade.accounts.sessions))  # type: ignore[arg-type]

    def clear(self) -> None:
        self.sessions.rows_model.set_rows([])

    def retranslate(self) -> None:
        self._end.setText(tr("End session"))
        self.show_rights()

    def show_rights(self) -> None:
        self.may(self._end, "accounts.end_session", able=self.sessions.chosen() is not None)

    def _on_end(self) -> None:
        row: SessionRow = self.sessions.chosen()
        self.do(lambda: self.context.facade.accounts.end_session(row.id), lambda _: None)
