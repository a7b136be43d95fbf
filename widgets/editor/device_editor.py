"""The editor of one device: three forms above, what would change, what is wrong and what a trial gave below.

It knows no file: it tells what a person wants (`preview_asked`, `trial_asked`, `save_asked`), and is told what came.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.model.commissioning import Change, Contents, Preview
from app.model.text import Text
from widgets import language
from widgets.answers import Answer, AnswerModel, AnswerTable
from widgets.editor.connection_form import ConnectionForm
from widgets.editor.device_form import DeviceForm
from widgets.editor.difference import Lines
from widgets.editor.draft import DeviceDraft
from widgets.editor.fields import Choice
from widgets.editor.points_form import PointsForm
from widgets.icons import keep
from widgets.language import tr

SETTLE_MS: Final = 300
"""So long after the last key the whole is judged."""
SAVED: Final = "Saved, and the station runs with it. The version before is {file}"
SAVED_FOR_LATER: Final = "Saved, but the station runs as before: {why}. The version before is {file}"
_NEW: Final[Mapping[str, Any]] = {"kind": "meter", "connection": {"driver": "modbus-tcp"}}


class DeviceEditor(QWidget):
    """Shown in the place of the points; nothing about it is modal."""

    preview_asked = Signal(list)
    """list[Change]: answer with `show_preview` or `show_refusal`. Empty where nothing differs from the file."""
    trial_asked = Signal(str)
    """Id of the device: answer with `show_trial` or `show_refusal`."""
    save_asked = Signal()
    """The preview that was shown last is to be written: answer with `show_saved` or `show_refusal`."""
    template_asked = Signal(str)
    """Answer with `set_template_points`."""
    keys_asked = Signal(str)
    """A driver's keys: answer with `set_keys`."""
    closed = Signal()

    def __init__(self, zone: ZoneInfo, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._contents = Contents((), (), (), ())
        self._locked: Text | None = None
        self._preview: Preview | None = None
        """Of what stands in the forms; None while it is on its way, or cannot be asked for."""
        self._removing = False
        self._trying = False
        self._trial_came: tuple[Text | None, float] | None = None
        """What went wrong, and how long it took."""
        self._saying: tuple[str, dict[str, object]] = ("", {})
        self._refusal = ""
        """Why what was asked for last was not done, as it was told."""
        self.draft = DeviceDraft(None)
        self.device, self.connection, self.points = DeviceForm(), ConnectionForm(), PointsForm()
        self.difference, self.faults = Lines(inked=True), Lines()
        self.faults.setProperty("verbatim", True)
        self.trial = AnswerTable(AnswerModel(zone))
        self._trial_said = QLabel()
        self._trial_said.setWordWrap(True)
        self.which = Choice()
        self.which.setProperty("verbatim", True)
        self.which.setSizeAdjustPolicy(Choice.SizeAdjustPolicy.AdjustToContents)
        self._title, self._note = QLabel(), QLabel()
        self._title.setProperty("level", "title")
        self._note.setWordWrap(True)
        self._note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.duplicate, self.remove, self.discard = QPushButton(), QPushButton(), QPushButton()
        self.try_, self.save = QPushButton(), QPushButton()
        self.remove.setCheckable(True)
        keep(self.save, "check")
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._lay_out()
        self._connect()
        language.changed.connect(self._retranslate)
        self._retranslate()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(self._title)
        head.addWidget(self.which)
        head.addStretch(1)
        for button in (self.duplicate, self.remove):
            head.addWidget(button)
        self.forms, self.below = QTabWidget(), QTabWidget()
        for form in (self.device, self.connection, self.points):
            self.forms.addTab(form, "")
        trial = QWidget()
        column = QVBoxLayout(trial)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._trial_said)
        column.addWidget(self.trial, 1)
        for part in (self.difference, self.faults, trial):
            self.below.addTab(part, "")
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.setHandleWidth(8)
        split.addWidget(self.forms)
        split.addWidget(self.below)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        foot = QHBoxLayout()
        foot.setSpacing(6)
        foot.addWidget(self._note, 1)
        for button in (self.try_, self.discard, self.save):
            foot.addWidget(button)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(6)
        whole.addLayout(head)
        whole.addWidget(split, 1)
        whole.addLayout(foot)

    def _connect(self) -> None:
        for form in (self.device, self.connection, self.points):
            form.edited.connect(self._on_edited)
        self.device.template_taken.connect(self._on_template)
        self.connection.driver_chosen.connect(self.keys_asked)
        self._settle.timeout.connect(self._ask_preview)
        self.which.activated.connect(lambda _: self.open_device(str(self.which.currentData())))
        self.duplicate.clicked.connect(self._on_duplicate)
        self.remove.toggled.connect(self._on_remove)
        self.discard.clicked.connect(self._on_discard)
        self.try_.clicked.connect(self._on_try)
        self.save.clicked.connect(self.save_asked)
        QShortcut(QKeySequence.StandardKey.Save, self, self._on_save_key, context=_WITHIN)

    # -------------------------------------------------------------------------------------------- what is edited

    @property
    def dirty(self) -> bool:
        """Whether something would be lost by opening another device."""
        return self._removing or bool(self._problems()) or self._differs()

    @property
    def removing(self) -> bool:
        """Whether the device is to go."""
        return self._removing

    def look_again(self) -> None:
        """Ask for the preview anew: the file may have changed."""
        self._preview = None
        self._ask_preview()

    def set_contents(self, contents: Contents) -> None:
        """What stands in the file now, and what may be chosen. What is being edited stays."""
        self._contents = contents
        self.device.set_contents(contents)
        self.connection.set_drivers(contents.drivers)
        self._fill_which()

    def set_locked(self, locked: Text | None) -> None:
        """Why nothing may be saved here."""
        self._locked = locked
        self._refresh()

    def open_device(self, device: str) -> None:
        """Edit a device of the file."""
        found = next((form for form in self._contents.devices if form.get("id") == device), None)
        if found is not None:
            self._open(DeviceDraft(found))
        elif device:
            self.show_refusal(tr("The file has no device '{device}' any more.", device=device))

    def open_new(self, like: Mapping[str, Any] | None = None) -> None:
        """Begin a new device, like another one or a found one if that is given; its id is kept where it is free."""
        taken = {str(form.get("id")) for form in self._contents.devices}
        form = copy.deepcopy(dict(like if like is not None else _NEW))
        wish = str(form.get("id") or "")
        stem = str(form.get("id") or form.get("kind") or "device").rstrip("0123456789") or "device"
        number = next(n for n in range(1, len(taken) + 2) if f"{stem}{n}" not in taken)
        form["id"] = wish if wish and wish not in taken else f"{stem}{number}"
        self._open(DeviceDraft(None, form))
        self.forms.setCurrentIndex(0)
        self.device.focus()

    def _open(self, draft: DeviceDraft) -> None:
        self.draft = draft
        self._removing = False
        self.remove.blockSignals(True)
        self.remove.setChecked(False)
        self.remove.blockSignals(False)
        self._preview = None
        self._say("")
        self.trial.answers.show_answers([], 0)
        self._trial_came, self._trying = None, False
        self._fill_which()
        for form in (self.device, self.connection, self.points):
            form.show_draft(draft)
        self._retranslate()
        self._show_faults()
        self._on_template(str(draft.form.get("template") or ""))
        self._ask_preview()

    def set_template_points(self, template: str, points: Sequence[Mapping[str, Any]]) -> None:
        """The points of the template that the device names."""
        if template == str(self.draft.form.get("template") or ""):
            self.draft.set_template_points(points)
            self.points.show_draft(self.draft)

    def set_keys(self, driver: str, known: Mapping[str, object]) -> None:
        """The keys that a driver knows, with their defaults."""
        self.connection.set_keys(driver, known)

    # ------------------------------------------------------------------------------------------------ what came

    def show_preview(self, preview: Preview) -> None:
        """What the file would be."""
        if self._settle.isActive():
            return  # more was typed meanwhile; the next one is on its way
        self._preview = preview
        self.difference.show_lines(preview.difference)
        self._show_faults()
        if preview.faults and self.below.currentIndex() == 0 and not preview.difference:
            self.below.setCurrentIndex(1)
        self._refresh()

    def show_refusal(self, why: str) -> None:
        """What was asked for last was not done."""
        self._trying = False
        self._say("")
        self._refusal = why
        self._refresh()

    def show_trial(
        self, device: str, trouble: Text | None, took_ms: float, answers: Sequence[Answer], now_ns: int
    ) -> None:
        """What came of the trial; of a device that is not edited any more nobody wants to know."""
        if device != self.draft.id or not self._trying:
            return
        self._trying = False
        self.below.setCurrentIndex(2)
        self.trial.answers.show_answers(answers, now_ns)
        self._trial_came = (trouble, took_ms)
        self._trial_said.setProperty("state", "bad" if trouble is not None else "")
        self._trial_said.style().polish(self._trial_said)
        self._refresh()

    def _trial_text(self) -> str:
        """How the last trial of this device went."""
        if self._trying:
            return tr("asking the device")
        if self._trial_came is None:
            return tr("Test connection reads every point once; what comes will stand here.")
        trouble, took_ms = self._trial_came
        if trouble is not None:
            return trouble.in_(language.name())
        rows = self.trial.answers.rows
        good = sum(not answer.quality for answer in rows)
        return tr("{n} of {m} points are good; it took {time}", n=good, m=len(rows), time=f"{took_ms:,.0f} ms")

    def show_saved(self, kept: Path, why_not: str) -> None:
        """It is written; call `set_contents` and `open_device` before. `why_not`: the station runs as before."""
        if why_not:
            self._say(SAVED_FOR_LATER, why=why_not, file=kept)
        else:
            self._say(SAVED, file=kept)

    # -------------------------------------------------------------------------------------------------- doing

    def _on_edited(self) -> None:
        self._preview = None
        self._say("")
        self._settle.start()
        self._refresh()

    def _on_template(self, template: str) -> None:
        if template:
            self.template_asked.emit(template)
        else:
            self.set_template_points("", [])

    def _on_duplicate(self) -> None:
        points = [form for form in (point.form() for point in self.draft.points) if form is not None]
        self.open_new({**self.draft.form, **({"points": points} if points else {})})

    def _on_remove(self, checked: bool) -> None:
        self._removing = checked
        self.forms.setEnabled(not checked)
        self._preview = None
        self.below.setCurrentIndex(0)
        self._ask_preview()

    def _on_discard(self) -> None:
        if self.dirty and self.draft.before is not None:
            self.open_device(self.draft.stored_id)
        else:
            self.closed.emit()

    def _on_try(self) -> None:
        self._trying = True
        self.below.setCurrentIndex(2)
        self.trial.answers.show_answers([], 0)
        self._trial_came = None
        self._refresh()
        self.trial_asked.emit(self.draft.id)

    def _on_save_key(self) -> None:
        if self.save.isEnabled():
            self.save_asked.emit()

    def _ask_preview(self) -> None:
        self._settle.stop()
        if self._problems() and not self._removing:
            self._show_faults()
        else:
            self.preview_asked.emit(self._changes())
        self._refresh()

    def _changes(self) -> list[Change]:
        return [Change(self.draft.stored_id, None)] if self._removing else self.draft.changes()

    def _differs(self) -> bool:
        return bool(self.draft.changes())

    def _problems(self) -> list[str]:
        return [*self.device.problems(), *self.connection.problems(), *self.points.problems()]

    # ------------------------------------------------------------------------------------------------- showing

    def _show_faults(self) -> None:
        """Beside the fields where the place is known, and all of them in the list."""
        preview = self._preview
        faults = preview.faults if preview is not None else ()
        places = preview.places if preview is not None else ()
        placed = [(place, fault.words) for fault, place in zip(faults, places, strict=False) if place]
        for form in (self.device, self.connection, self.points):
            form.set_faults(placed)
        local = self._problems()
        listed = [fault.line_of(fault.file.name).in_(language.name()) for fault in faults]
        self.faults.show_lines([*local, *listed])
        self._titles()

    def _refresh(self) -> None:
        """What may be done now, and why not."""
        preview, problems = self._preview, self._problems()
        new, differs = self.draft.before is None, self._removing or self._differs()
        sound = preview is not None and not preview.faults and not problems
        self.save.setEnabled(self._locked is None and sound and bool(preview and preview.difference))
        self.save.setToolTip(self._why_not(sound=sound, differs=differs))
        self.try_.setEnabled(sound and not self._removing and not self._trying)
        self.try_.setToolTip(tr("Read every point once, over a connection of its own; nothing is written"))
        self.remove.setEnabled(not new)
        self.duplicate.setEnabled(not new and not self._removing)
        self.which.setEnabled(not differs or new)
        dirty = differs and not new
        self.discard.setText(tr("Discard changes") if dirty else tr("Close editor"))
        english, values = self._saying
        if self._refusal:
            self._note.setText(self._refusal)
        elif english:
            self._note.setText(tr(english, **values))
        else:
            self._note.setText(self._why_not(sound=sound, differs=differs))
        self._note.setToolTip(self._note.text())
        self._trial_said.setText(self._trial_text())
        self._titles()

    def _why_not(self, *, sound: bool, differs: bool) -> str:
        """Why Save is not to be pressed; empty where it is."""
        if self._locked is not None:
            return tr("Not to be saved here: {why}", why=self._locked.in_(language.name()))
        if not differs:
            return tr("Nothing is changed yet.")
        if sound:
            return tr("Ready to be saved: look at the difference first.")
        if self._preview is None and not self._problems():
            return tr("Being checked")
        return tr("Not to be saved before the faults are mended.")

    def _say(self, english: str, **values: object) -> None:
        self._saying, self._refusal = (english, values), ""
        self._refresh()

    def _fill_which(self) -> None:
        self.which.clear()
        if self.draft.before is None:
            self.which.addItem(tr("new device"), "")
        for form in self._contents.devices:
            self.which.addItem(str(form.get("id", "")), str(form.get("id", "")))
        self.which.setCurrentIndex(max(self.which.findData(self.draft.stored_id), 0))

    def _titles(self) -> None:
        preview = self._preview
        changed = (
            sum(line[:1] in "+-" and line[:3] not in ("+++", "---") for line in preview.difference if line)
            if (preview)
            else 0
        )
        wrong = len(self._problems()) + (len(preview.faults) if preview else 0)
        for tabs, titles in (
            (self.forms, (tr("Device"), tr("Connection"), tr("Points"))),
            (self.below, (tr("Difference ({n})", n=changed), tr("Faults ({n})", n=wrong), tr("Trial"))),
        ):
            for i, title in enumerate(titles):
                if tabs.tabText(i) != title:
                    tabs.setTabText(i, title)

    def _retranslate(self) -> None:
        self._title.setText(tr("New device") if self.draft.before is None else tr("Edit"))
        self.which.setAccessibleName(tr("Device of the file"))
        if self.draft.before is None and self.which.count():
            self.which.setItemText(0, tr("new device"))
        self.duplicate.setText(tr("Duplicate"))
        self.remove.setText(tr("Remove device"))
        self.try_.setText(tr("Test connection"))
        self.save.setText(tr("Save"))
        self.difference.setPlaceholderText(tr("What saving would change in the station's file will stand here."))
        self.faults.setPlaceholderText(tr("Nothing is wrong. What is will stand here, with its line and the mend."))
        self.difference.setAccessibleName(tr("Difference"))
        self.faults.setAccessibleName(tr("Faults"))
        self._show_faults()
        self._refresh()


_WITHIN: Final = Qt.ShortcutContext.WidgetWithChildrenShortcut
