"""Who acts on each device, what each asked, what clipped it; modes, setpoints and commands by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)  # fmt: skip

from app.console.pages.page import Context
from app.console.tab import Tab
from app.model.control import (
    CLIP_NAMES,
    COMMAND_ROLES,
    RANK_NAMES,
    UNITS,
    ChannelRow,
    Clip,
    CommandedRow,
    ControlState,
    Mode,
    Quantity,
    Wanted,
)
from widgets import language
from widgets.cells import Cell
from widgets.language import tr
from widgets.rows_table import RowsTable

LOOK_MS: Final = 500
ARMED_MS: Final = 30_000
MODES: Final = {Mode.AUTO: "auto", Mode.MANUAL: "manual", Mode.OFF: "off"}
QUANTITIES: Final = {
    Quantity.ACTIVE: "active power", Quantity.LIMIT: "power limit", Quantity.REACTIVE: "reactive power",
}  # fmt: skip
COMMANDS: Final = {
    "start": "Start",
    "stop": "Stop",
    "reset": "Reset",
    "open": "Open the breaker",
    "close": "Close the breaker",
}
STATION: Final = "*"


def number(value: float) -> str:
    """At one decimal; a dash for none."""
    return "–" if math.isnan(value) else f"{value:+,.1f}" if math.isfinite(value) else "∞" if value > 0 else "−∞"


def _key(row: ChannelRow | CommandedRow) -> tuple[str, str]:
    return row.device, row.quantity if isinstance(row, ChannelRow) else ""


class DevicesTab(Tab):
    """Above the channels; below, of the one that is chosen, what acts on it and what may be done."""

    title = "Devices"
    reads = "control.state"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.state: ControlState | None = None
        self.station_mode = QLabel()
        self.station_mode.setProperty("heading", True)
        self.reason = QLineEdit()
        self.verbs.addWidget(self.station_mode)
        self._modes = {mode: self.verb(partial(self._on_mode, STATION, mode)) for mode in MODES}
        self.verbs.addSpacing(12)
        self.verbs.addWidget(self.reason, 1)
        self._stop, self._release = self.verb(self._on_stop), self.verb(self._on_release)
        self._stop.setProperty("danger", True)
        self.rows = self.table(
            ("Device", "Quantity", "Mode", "Set by", "Requested", "Allowed", "Sent", "Held", "Flows", "Limited by"),
            (140, 160, 80, 130, 95, 95, 95, 95, 95, 160), self._tell, stretch=9,
        )  # fmt: skip
        titles, widths = ("Rank", "Who", "Least", "Most", "Wanted", "Why"), (110, 120, 90, 90, 90, 300)
        self.acting = RowsTable(titles, widths, self._tell_wanted, stretch=5)
        split = QSplitter()
        split.setChildrenCollapsible(False)
        split.setHandleWidth(8)
        split.addWidget(self.acting)
        split.addWidget(self._by_hand())
        split.setStretchFactor(0, 1)
        split.setSizes([800, 430])
        self.column.addWidget(self.rows, 3)
        self.column.addWidget(split, 2)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._timer.start()
        self._arming = QTimer(self)
        self._arming.setSingleShot(True)
        self._arming.timeout.connect(self._on_late)
        self._armed: tuple[str, str, str] | None = None
        """Device, role, word of a command that waits for its second step."""

    def _by_hand(self) -> QWidget:
        """The form of the device that is chosen."""
        frame = QFrame()
        frame.setObjectName("card")
        column = QVBoxLayout(frame)
        column.setContentsMargins(10, 8, 10, 8)
        column.setSpacing(8)
        self.head = QLabel()
        self.head.setProperty("heading", True)
        self.head.setWordWrap(True)
        self.value = QLineEdit()
        self.value.setMaximumWidth(140)
        self.range = QLabel()
        self.set, self.set_all, self.call_off = QPushButton(), QPushButton(), QPushButton()
        self.set.clicked.connect(self._on_set)
        self.set_all.clicked.connect(self._on_set_all)
        self.call_off.clicked.connect(self._on_call_off)
        self._setting: set[str] = set()
        """Slots of setpoints that were asked for and are not confirmed."""
        self.value.returnPressed.connect(lambda: None)  # Enter is never the answer that moves power
        self.device_modes = {mode: QPushButton() for mode in MODES}
        self.tag, self.trip = QPushButton(), QPushButton()
        self.tag.clicked.connect(self._on_tag)
        self.trip.clicked.connect(self._on_trip)
        self.commands, self.arm, self.confirm = QComboBox(), QPushButton(), QPushButton()
        self.commands.setMinimumWidth(110)
        self.arm.clicked.connect(self._on_arm)
        self.confirm.clicked.connect(self._on_confirm)
        self.commands.currentIndexChanged.connect(lambda *_: self._disarm())
        for mode, button in self.device_modes.items():
            button.clicked.connect(lambda _=False, m=mode: self._on_mode(self._device(), m))
        column.addWidget(self.head)
        for widgets in (
            [*self.device_modes.values(), None, self.tag, self.trip], [self.value, self.range, None, self.set],
            [None, self.set_all, self.call_off],
            [self.commands, self.arm, self.confirm, None],
        ):  # fmt: skip
            line = QHBoxLayout()
            line.setSpacing(8)
            for widget in widgets:
                line.addWidget(widget) if widget is not None else line.addStretch(1)
            column.addLayout(line)
        column.addStretch(1)
        return frame

    # ------------------------------------------------------------------------------------------------------- showing

    def _tell(self, row: ChannelRow | CommandedRow) -> list[Cell | str]:
        tongue = language.name()
        name = self.context.facade.station.by_id[row.device].name.in_(tongue)
        if isinstance(row, CommandedRow):
            return self._tell_commanded(name, row)
        limited = row.blocked.in_(tongue) if row.blocked is not None else CLIP_NAMES[row.clip].in_(tongue)
        mode = Cell(tr(MODES[row.mode]), frame="manual" if row.mode is Mode.MANUAL else "")
        figures = [
            Cell(number(one), right=True) for one in (row.requested, row.allowed, row.sent, row.held, row.feedback)
        ]
        return [name, f"{tr(QUANTITIES[row.quantity])} ({UNITS[row.quantity]})", mode, self._who(row.holder), *figures,
                Cell(limited, bold=row.blocked is not None)]  # fmt: skip

    def _tell_commanded(self, name: str, row: CommandedRow) -> list[Cell | str]:
        mode = Cell(tr(MODES[row.mode]) if row.mode else "–", frame="manual" if row.mode is Mode.MANUAL else "")
        why = row.blocked or (CLIP_NAMES[Clip.INTERLOCK] if row.locked else None)
        limited = Cell(why.in_(language.name()) if why else "", bold=row.blocked is not None)
        nothing = [Cell("–", right=True) for _ in range(4)]
        power = Cell(number(row.power_kw), right=True)
        return [name, tr("commands"), mode, "–", *nothing, power, limited]

    def _tell_wanted(self, one: Wanted) -> list[Cell | str]:
        tongue = language.name()
        ink = "ink" if one.live else "ink-soft"
        who = self._who(one.who) if one.live else f"{self._who(one.who)} ({tr('shadow')})"
        return [Cell(RANK_NAMES[one.rank].in_(tongue), ink), Cell(who, ink), Cell(number(one.low), ink, right=True),
                Cell(number(one.high), ink, right=True), Cell(number(one.target), ink, right=True),
                Cell(one.why.in_(tongue), ink)]  # fmt: skip

    def _who(self, who: str) -> str:
        if who == "operator":
            return tr("by hand")
        if who == "policy":
            return tr("its policy")
        found = next((one for one in self.state.strategies if one.id == who), None) if self.state is not None else None
        return found.name.in_(language.name()) if found is not None else who or "–"

    def _look(self) -> None:
        if self.isVisible() and not self._denied:
            self.read()

    def read(self) -> None:
        self.state = self.context.facade.control.state()
        rows = (*self.state.channels, *self.state.commanded)
        self.rows.refresh(rows, _key)
        if not rows:
            self.say(tr("No device of this station can be set: none has a setpoint or a command with a role."))
        self._show_chosen()

    def resume(self, before: Tab) -> None:
        if isinstance(before, DevicesTab):
            self.reason.setText(before.reason.text())
            if (row := before._row()) is not None:
                self.read()
                self.rows.choose(_key(row), _key)

    def clear(self) -> None:
        self.state = None
        self.rows.rows_model.set_rows([])
        self.acting.rows_model.set_rows([])

    def _show_chosen(self) -> None:
        row = self._row()
        self.acting.rows_model.refresh(row.wanted if isinstance(row, ChannelRow) else ())
        name = self._name(row)
        if not isinstance(row, ChannelRow):
            self.head.setText(f"{name} · {tr('commands')}" if row is not None else tr("Choose a device above."))
            self.range.clear()
        else:
            unit = UNITS[row.quantity]
            alone = "" if row.timer else f" · {tr('no timer of its own')}"
            self.head.setText(f"{name} · {tr(QUANTITIES[row.quantity])}{alone}")
            self.range.setText(f"{unit}  [{number(row.low)} … {number(row.high)}]")
        self._offer_commands(row)
        self.show_rights()

    def _name(self, row: ChannelRow | CommandedRow | None) -> str:
        return self.context.facade.station.by_id[row.device].name.in_(language.name()) if row is not None else ""

    def _offer_commands(self, row: ChannelRow | CommandedRow | None) -> None:
        device = self.context.facade.station.by_id.get(row.device) if row is not None else None
        roles = [role for role in COMMAND_ROLES if device is not None and device.role(role) is not None]
        if [self.commands.itemData(i) for i in range(self.commands.count())] != roles:
            self.commands.clear()
            for role in roles:
                self.commands.addItem(tr(COMMANDS[role]), role)

    def retranslate(self) -> None:
        for mode, word in MODES.items():
            self._modes[mode].setText(tr("Station {mode}", mode=tr(word)))
            self.device_modes[mode].setText(tr(word).capitalize())
        self.reason.setPlaceholderText(tr("Reason, for the ledger"))
        self.reason.setAccessibleName(tr("Reason, for the ledger"))
        self.value.setAccessibleName(tr("Value"))
        self.value.setPlaceholderText(tr("Value"))
        self.commands.setAccessibleName(tr("Command"))
        self.call_off.setText(tr("Call off"))
        self._stop.setText(tr("EMERGENCY STOP"))
        self._release.setText(tr("Release the stop"))
        self.arm.setText(tr("Arm…"))
        self.trip.setText(tr("Reset the trip"))
        for i in range(self.commands.count()):
            self.commands.setItemText(i, tr(COMMANDS[self.commands.itemData(i)]))
        self._show_chosen()

    def show_rights(self) -> None:
        row, state = self._row(), self.state
        device = (row.device,) if row is not None else None
        stopped, tagged = bool(state and state.stopped), bool(state and row and row.device in state.tags)
        tripped = bool(state and row and row.device in state.trips)
        mode = state.mode if state is not None else None
        self.station_mode.setText(tr("Station: {mode}", mode=tr(MODES[mode]) if mode else "–"))
        for one, button in self._modes.items():
            self.may(button, "control.set_mode", able=one is not mode)
        self.may(self._stop, "control.stop_all", able=not stopped)
        self.may(self._release, "control.release_stop", able=stopped)
        allow = self.context.door.allow
        for one, button in self.device_modes.items():
            able = row is not None and row.mode is not None and row.mode is not one
            allow(button, "control.set_mode", able=able, devices=device)
        self.tag.setText(tr("Take the tag away") if tagged else tr("Hang a tag"))
        hint = tr("Nothing is sent to a tagged device; write the reason above.")
        able = row is not None and (tagged or bool(self.reason.text().strip()))
        allow(self.tag, "control.untag" if tagged else "control.tag", able=able, hint=hint, devices=device)
        allow(self.trip, "control.reset_trip", able=tripped, devices=device)
        value, channel = self._value(), self._channel()
        manual = channel is not None and channel.mode is Mode.MANUAL and channel.blocked is None and not stopped
        hint = "" if manual else tr("Put the device in manual first.")
        allow(self.set, "control.request", able=manual and value is not None, hint=hint, devices=device)
        allow(self.set_all, "control.request_many", able=value is not None and not stopped and len(self._all()) > 1,
              hint=tr("All devices in manual that have this setpoint."), devices=self._all() or None)  # fmt: skip
        several = len(self._all()) > 1
        self.set_all.setText(tr("Set all {n} in manual", n=len(self._all())) if several else tr("Set all in manual"))
        self.call_off.setEnabled(bool(self._setting))
        self.value.setEnabled(manual)
        self.set.setText(self._set_words(channel, value))
        role = self.commands.currentData()
        armed = self._armed is not None and row is not None and self._armed[:2] == (row.device, role)
        allow(self.arm, "control.arm", able=role is not None and not armed, devices=device)
        self.confirm.setText(f"{tr(COMMANDS[role])} {self._name(row)}" if role else tr("Command"))
        allow(self.confirm, "control.command", able=armed, hint=tr("Arm it first."), devices=device)

    def _set_words(self, row: ChannelRow | None, value: float | None) -> str:
        if row is None or value is None:
            return tr("Set")
        return tr("Set {name} to {value}", name=self._name(row), value=f"{number(value)} {UNITS[row.quantity]}")

    # --------------------------------------------------------------------------------------------------------- doing

    def _row(self) -> ChannelRow | CommandedRow | None:
        found: ChannelRow | CommandedRow | None = self.rows.chosen()
        return found

    def _channel(self) -> ChannelRow | None:
        """The chosen row, where it has a setpoint."""
        row = self._row()
        return row if isinstance(row, ChannelRow) else None

    def _device(self) -> str:
        row = self._row()
        return row.device if row is not None else ""

    def _value(self) -> float | None:
        try:
            value = float(self.value.text().replace("−", "-").replace(",", "").strip())
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    def _ask(self, call: Callable[[str], Future[Any]], words: str) -> None:
        """Do it with the reason that is written above, and say how it went."""
        reason = self.reason.text().strip()
        self.say(tr("asked…"))
        self.context.door.do(lambda: call(reason), self, lambda _: self._done(words), self.refuse)

    def _done(self, words: str) -> None:
        self.reload()
        self.say(words)

    def _on_mode(self, device: str, mode: Mode) -> None:
        control = self.context.facade.control
        self._ask(
            lambda reason: control.set_mode(device, mode, reason), tr("It is in {mode} now.", mode=tr(MODES[mode]))
        )

    def _all(self) -> tuple[str, ...]:
        """Devices in manual that have the setpoint of the chosen row."""
        row, state = self._channel(), self.state
        rows = state.channels if state is not None and row is not None else ()
        return tuple(one.device for one in rows if row is not None and one.quantity is row.quantity
                     and one.mode is Mode.MANUAL and one.blocked is None)  # fmt: skip

    def _on_set_all(self) -> None:
        row, value, devices = self._channel(), self._value(), self._all()
        if row is None or value is None:
            return
        control, reason, unit = self.context.facade.control, self.reason.text().strip(), UNITS[row.quantity]
        self._send(
            f"all {row.quantity}",
            lambda: control.request_many(dict.fromkeys(devices, value), row.quantity, reason),
            lambda allowed: ", ".join(f"{one} {number(kw)} {unit}" for one, kw in allowed.items()),
        )

    def _send(self, slot: str, call: Callable[[], Future[Any]], words: Callable[[Any], str]) -> None:
        """Ask, until it is confirmed, refused, or called off; another value of the same `slot` takes its place."""

        def done(allowed: Any) -> None:
            self._setting.discard(slot)
            self._done(tr("Confirmed: {value}", value=words(allowed)))

        def refused(error: BaseException) -> None:
            self._setting.discard(slot)
            self.refuse(error)
            self.show_rights()

        self._setting.add(slot)
        self.say(tr("asked…"))
        self.context.door.do(call, self, done, refused, slot=slot)
        self.show_rights()

    def _on_call_off(self) -> None:
        for slot in self._setting:
            self.context.bridge.forget(self, slot)
        self._setting.clear()
        self.say(tr("It is called off, and led back to where it was."))
        self.show_rights()

    def _on_set(self) -> None:
        row, value = self._channel(), self._value()
        if row is None or value is None:
            return
        control, unit = self.context.facade.control, UNITS[row.quantity]
        reason = self.reason.text().strip()
        self._send(
            f"{row.device} {row.quantity}",
            lambda: control.request(row.device, row.quantity, value, reason=reason),
            lambda allowed: f"{number(allowed)} {unit}",
        )

    def _on_tag(self) -> None:
        device, control = self._device(), self.context.facade.control
        if self.state is not None and device in self.state.tags:
            self._ask(lambda reason: control.untag(device, reason), tr("The tag is taken away."))
        else:
            self._ask(lambda reason: control.tag(device, reason), tr("It is tagged: nothing is sent to it."))

    def _on_trip(self) -> None:
        device, control = self._device(), self.context.facade.control
        self._ask(lambda reason: control.reset_trip(device, reason), tr("It may be used again."))

    def _on_stop(self) -> None:
        self._ask(self.context.facade.control.stop_all, tr("The emergency stop is in."))

    def _on_release(self) -> None:
        self._ask(self.context.facade.control.release_stop, tr("The emergency stop is released."))

    def _on_arm(self) -> None:
        device, role = self._device(), str(self.commands.currentData())
        try:
            self._armed = (device, role, self.context.facade.control.arm(device, role))
        except Exception as error:  # denied or refused: it is said in its words
            self.refuse(error)
            return
        self.say(tr("Armed for 30 s: confirm it now."))
        self._arming.start(ARMED_MS)
        self.show_rights()

    def _on_late(self) -> None:
        self._disarm()
        self.say("")

    def _disarm(self) -> None:
        self._armed = None
        self.show_rights()

    def _on_confirm(self) -> None:
        if self._armed is None:
            return
        (device, role, word), self._armed = self._armed, None
        self.show_rights()
        control = self.context.facade.control
        self._ask(lambda reason: control.command(device, role, word, reason), tr("It was taken."))
