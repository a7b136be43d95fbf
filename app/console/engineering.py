"""Between the editor of a device and the station's commissioning service: asks, waits without waiting, tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.console.pages.page import Context
from app.model.commissioning import Change, Contents, Preview, Trial
from widgets.answers import Answer
from widgets.editor.device_editor import SAVED, SAVED_FOR_LATER, DeviceEditor
from widgets.language import told, tr

_NAN = float("nan")


class Engineering(QObject):
    """One editor's errands. Every answer comes by the bridge, on the Qt thread, and only while the editor lives."""

    opened = Signal()
    """The editor shows what was asked for."""
    refused = Signal(str)
    """The file cannot be edited now: why."""
    removed = Signal(str)
    """The device that was edited is gone from the file: what is to be said of it."""

    def __init__(self, context: Context, editor: DeviceEditor) -> None:
        super().__init__(editor)
        self._context, self._editor = context, editor
        self._preview: Preview | None = None
        self.applying: tuple[str, Path] | None = None
        """The device and the version before, until it is said that the station runs with what was saved."""
        editor.preview_asked.connect(self._on_preview)
        editor.trial_asked.connect(self._on_trial)
        editor.save_asked.connect(self._on_save)
        editor.template_asked.connect(self._on_template)
        editor.keys_asked.connect(self._on_keys)

    def edit(self, device: str, like: Mapping[str, Any] | None = None) -> None:
        """Read the file anew and open a device of it; a new device, perhaps a found one, where `device` is empty."""

        def show(contents: Contents) -> None:
            self._editor.set_contents(contents)
            self._editor.set_locked(self._context.facade.commissioning.locked)
            if device:
                self._editor.open_device(device)
            else:
                self._editor.open_new(like)
            self.opened.emit()

        service = self._context.facade.commissioning
        self._context.bridge.ask(
            service.contents(), self, show, lambda error: self.refused.emit(told(error)), slot="contents"
        )

    def _on_preview(self, changes: list[Change]) -> None:
        self._preview = None

        def show(preview: Preview) -> None:
            self._preview = preview
            self._editor.show_preview(preview)

        future = self._context.facade.commissioning.preview(changes)
        self._context.bridge.ask(future, self, show, self._refuse, slot="preview")

    def _on_trial(self, device: str) -> None:
        preview = self._preview
        if preview is None:
            return
        station = self._context.facade.station

        def show(trial: Trial) -> None:
            answers = []
            for row in trial.rows:
                index = station.by_name.get(row.point)
                form = station.points[index].form if index is not None else None
                answers.append(Answer(row.point, form, row.value, row.quality, row.time, _NAN, row.remark))
            now = self._context.bridge.snapshot.taken
            self._editor.show_trial(trial.device, trial.trouble, trial.took_ms, answers, now)

        service = self._context.facade.commissioning
        self._context.door.do(lambda: service.try_(device, preview.text), self, show, self._refuse, slot="trial")

    def _on_save(self) -> None:
        preview = self._preview
        if preview is None:
            return
        device = self._editor.draft.id if not self._editor.removing else ""

        def show(kept: Path) -> None:
            self._apply(device, kept)

        def refuse(error: BaseException) -> None:
            self._editor.look_again()  # the file may be another now: the difference is shown anew
            self._refuse(error)

        service = self._context.facade.commissioning
        self._context.door.do(lambda: service.save(preview), self, show, refuse, slot="save")

    def _apply(self, device: str, kept: Path) -> None:
        """Give the file to the running station; when it runs, the window is built anew on its points.

        That may come before the answer: then the new window's errands say `applied`.
        """
        context = self._context
        self.applying = device, kept

        def refuse(error: BaseException) -> None:
            self.applying = None
            self._reopen(device, kept, told(error))

        context.door.do(context.facade.apply, self, lambda _: self.applied(device, kept), refuse, slot="apply")

    def applied(self, device: str, kept: Path) -> None:
        """The station runs with what was saved."""
        self.applying = device, kept
        self._reopen(device, kept, "")

    def _reopen(self, device: str, kept: Path, why_not: str) -> None:
        """The file as it is now, and what became of it; `why_not`: the station does not run with it."""

        def show(contents: Contents) -> None:
            self.applying = None
            self._editor.set_contents(contents)
            if device:
                self._editor.open_device(device)
                self._editor.show_saved(kept, why_not)
            else:
                words = tr(SAVED_FOR_LATER, why=why_not, file=kept) if why_not else tr(SAVED, file=kept)
                self.removed.emit(words)

        self._context.bridge.ask(
            self._context.facade.commissioning.contents(), self, show, self._refuse, slot="contents"
        )

    def _on_template(self, template: str) -> None:
        def show(points: list[dict[str, Any]]) -> None:
            self._editor.set_template_points(template, points)

        future = self._context.facade.commissioning.template_points(template)
        # A name half typed is no template yet; the check of the whole says so beside the field.
        self._context.bridge.ask(
            future, self, show, lambda _: self._editor.set_template_points(template, []), slot="template"
        )

    def _on_keys(self, driver: str) -> None:
        def show(known: Mapping[str, object]) -> None:
            self._editor.set_keys(driver, known)

        future = self._context.facade.commissioning.connection_keys(driver)
        self._context.bridge.ask(future, self, show, self._refuse, slot="keys")

    def _refuse(self, error: BaseException) -> None:
        self._editor.show_refusal(told(error))
