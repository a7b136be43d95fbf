"""Versions of the configuration, secrets by name, and what the station runs on."""

from __future__ import annotations

from typing import Final

from PySide6.QtWidgets import QLineEdit

from app.console.pages.page import Context
from app.console.tab import Tab, fill
from app.model.access import SecretPlace, SecretRow
from app.model.difference import Applied, DifferenceRow, Kind, VersionRow
from app.model.views import Place, SystemView
from widgets import language
from widgets.cells import Cell
from widgets.language import tr

_HASH: Final = 12
KINDS: Final = {Kind.ADDED: "added", Kind.REMOVED: "removed", Kind.CHANGED: "changed"}
PLACES: Final = {
    SecretPlace.KEYRING: "system keyring", SecretPlace.SEALED: "sealed file", SecretPlace.ENVIRONMENT: "environment",
    SecretPlace.NOWHERE: "nowhere",
}  # fmt: skip


class VersionsTab(Tab):
    title = "Configuration"
    reads = "versions.rows"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._apply, self._back = self.verb(self._on_apply), self.verb(self._on_back)
        self.verbs.addStretch(1)
        self.versions = self.table(
            ("Loaded", "Who", "From", "Version", "Changes"), (180, 140, 300, 140, 100), self._tell, stretch=2
        )
        self.rows = self.table(
            ("What", "Where", "Key", "Before", "After"), (110, 240, 220, 260, 260), self._tell_row, stretch=4
        )
        self.column.addWidget(self.versions, 1)
        self.column.addWidget(self.rows, 1)

    def _tell(self, row: VersionRow) -> list[str]:
        return [self.moment(row.loaded), row.actor, row.origin, row.config_hash[:_HASH], f"{len(row.rows):,}"]

    @staticmethod
    def _tell_row(row: DifferenceRow) -> list[Cell | str]:
        return [Cell(tr(KINDS[row.kind]), "ink-soft"), row.where, row.key, row.before, row.after]

    def read(self) -> None:
        self.ask(self.context.facade.versions.rows(), lambda rows: fill(self, self.versions, rows), "versions")

    def clear(self) -> None:
        for table in (self.versions, self.rows):
            table.rows_model.set_rows([])

    def retranslate(self) -> None:
        self._apply.setText(tr("Take the files now"))
        self._back.setText(tr("Go back to this version"))
        self.show_rights()

    def show_rights(self) -> None:
        row: VersionRow | None = self.versions.chosen()
        rows = list(row.rows) if row is not None else []
        if rows != self.rows.rows_model.rows:
            self.rows.rows_model.set_rows(rows)
        locked = self.context.facade.commissioning.locked
        hint = tr("Give what stands in the station's files to the running station, or refuse it whole")
        self.may(self._apply, "station.apply", hint=hint)
        now = row is not None and row.config_hash == self.context.facade.station.config_hash
        self.may(self._back, "versions.go_back", able=row is not None and not now and locked is None,
                 hint=locked.in_(language.name()) if locked is not None else "")  # fmt: skip

    def _on_apply(self) -> None:
        self.do(self.context.facade.apply, self._on_applied)

    def _on_back(self) -> None:
        row: VersionRow = self.versions.chosen()
        self.do(lambda: self.context.facade.versions.go_back(row.id), self._on_applied)

    def _on_applied(self, applied: Applied) -> None:
        if applied.rows:
            self.say(tr("The station runs with the changed configuration."))
        else:
            self.say(tr("Nothing differs: the station runs with these files already."))


class SecretsTab(Tab):
    title = "Secrets"
    reads = "secrets.rows"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.name, self.value = QLineEdit(), QLineEdit()
        self.value.setEchoMode(QLineEdit.EchoMode.Password)
        self.verbs.addWidget(self.name, 1)
        self.verbs.addWidget(self.value, 1)
        self._put, self._forget = self.verb(self._on_put), self.verb(self._on_forget)
        self.secrets = self.table(
            ("Reference", "Kept", "State", "Asked for by"), (240, 160, 360, 360), self._tell, stretch=3
        )
        self.column.addWidget(self.secrets, 1)
        for line in (self.name, self.value):
            line.textChanged.connect(lambda *_: self.show_rights())

    @staticmethod
    def _tell(row: SecretRow) -> list[Cell | str]:
        state = Cell(row.trouble.in_(language.name()), bold=True) if row.trouble is not None else tr("there")
        return [row.reference, tr(PLACES[row.place]), state, ", ".join(row.users)]

    def read(self) -> None:
        none = "No file of the station asks for a secret."
        self.ask(self.context.facade.secrets.rows(), lambda rows: fill(self, self.secrets, rows, none), "secrets")

    def clear(self) -> None:
        self.secrets.rows_model.set_rows([])

    def retranslate(self) -> None:
        self.name.setPlaceholderText(tr("Name, as in secret:NAME"))
        self.name.setAccessibleName(tr("Name, as in secret:NAME"))
        self.value.setPlaceholderText(tr("Value; it is never shown again"))
        self.value.setAccessibleName(tr("Value; it is never shown again"))
        self._put.setText(tr("Store"))
        self._forget.setText(tr("Forget"))
        self.show_rights()

    def show_rights(self) -> None:
        row: SecretRow | None = self.secrets.chosen()
        kept = row is not None and row.place in {SecretPlace.KEYRING, SecretPlace.SEALED}
        self.may(self._put, "secrets.put", able=bool(self.name.text().strip() and self.value.text()))
        self.may(self._forget, "secrets.forget", able=kept)

    def _on_put(self) -> None:
        name, value = self.name.text().strip().removeprefix("secret:"), self.value.text()
        self.value.clear()
        self.do(lambda: self.context.facade.secrets.put(name, value), lambda _: self.name.clear())

    def _on_forget(self) -> None:
        row: SecretRow = self.secrets.chosen()
        name = row.reference.partition(":")[2]
        self.do(lambda: self.context.facade.secrets.forget(name), lambda _: None)


class StationTab(Tab):
    title = "Station"
    reads = "station.system"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.facts = self.table(("What", "Value"), (220, 700), self._tell_fact, stretch=1)
        self.parts = self.table(("Part", "Version", "Licence"), (260, 160, 400), list, stretch=2)
        self.column.addWidget(self.facts, 1)
        self.column.addWidget(self.parts, 1)

    @staticmethod
    def _tell_fact(fact: tuple[str, str]) -> list[Cell | str]:
        return [Cell(tr(fact[0]), "ink-soft"), fact[1]]

    def read(self) -> None:
        self.ask(self.context.facade.system(), self._show, "system")

    def _show(self, view: SystemView) -> None:
        facts = [
            ("Data folder", view.data.path), ("Used there", _mb(view.data.used_bytes)),
            ("Free on its disk", _free(view.data)), ("Folder of the station's files", view.config.path),
            ("Version", view.config_hash[:_HASH]),
            ("Started", self.moment(view.started)), ("Machine", view.machine), ("Python", view.python),
        ]  # fmt: skip
        self.facts.rows_model.set_rows(facts)
        self.parts.rows_model.set_rows(list(view.parts))

    def clear(self) -> None:
        for table in (self.facts, self.parts):
            table.rows_model.set_rows([])


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _free(place: Place) -> str:
    return f"{place.free_bytes / 1e9:,.1f} GB / {place.total_bytes / 1e9:,.1f} GB"
