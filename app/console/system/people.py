"""Users, roles and sessions."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QComboBox, QLineEdit

from app.console.pages.page import Context
from app.console.system.tab import Tab, fill
from app.model.access import ACTION_NAMES, WHOLE_STATION, RoleRow, SessionRow, UserRow
from app.model.errors import GridroomError
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
    title = "Roles"
    reads = "accounts.roles"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.roles = self.table(("Role", "Id", "May"), (180, 180, 600), self._tell, stretch=2)
        self.column.addWidget(self.roles, 1)

    def _tell(self, row: RoleRow) -> list[str]:
        tongue = language.name()
        words = []
        for grant in sorted(row.grants, key=lambda one: (list(ACTION_NAMES).index(one.action), one.area)):
            where = "" if grant.area == WHOLE_STATION else f" ({grant.area})"
            words.append(ACTION_NAMES[grant.action].in_(tongue) + where)
        return [row.label.in_(tongue), row.name, ("、" if tongue == "zh" else ", ").join(words)]

    def read(self) -> None:
        fill(self, self.roles, _read(self, self.context.facade.accounts.roles))  # type: ignore[arg-type]

    def clear(self) -> None:
        self.roles.rows_model.set_rows([])


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
