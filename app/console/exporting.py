"""Exporting what is seen: the file is chosen beside the work, the writing shows its progress and can be called off."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from PySide6.QtCore import QStandardPaths, QTimer
from PySide6.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from app.console.pages.page import Context
from app.history.export.request import ExportResult
from app.model.clock import to_datetime
from widgets import language
from widgets.language import told, tr
from widgets.values import age_text

_LOOK_MS: Final = 200
_SLOT: Final = "export"
FORMATS: Final[dict[str, str]] = {".csv": "CSV", ".xlsx": "Excel", ".parquet": "Parquet"}


class ExportBar(QFrame):
    """A line below the page; hidden while there is nothing to tell. One export at a time."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._dialog: QFileDialog | None = None
        self._share = 0.0
        """Written by the exporting thread, read by the timer."""
        self._began_s = 0.0
        self.running = False
        self._text = QLabel()
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setFixedWidth(200)
        self._bar.setTextVisible(False)
        self._left = QLabel()
        self._left.setProperty("soft", True)
        self._cancel, self._close = QPushButton(), QPushButton()
        self._cancel.clicked.connect(self.cancel)
        self._close.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._text, 1)
        for widget in (self._bar, self._left, self._cancel, self._close):
            row.addWidget(widget)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._on_look)
        language.changed.connect(self._retranslate)
        self._retranslate()
        self.hide()

    def _retranslate(self) -> None:
        self._cancel.setText(tr("Cancel"))
        self._close.setText(tr("Close"))

    def ask_file(self, points: list[str], start_ns: int, end_ns: int, every: str, suffix: str) -> None:
        """Let the person choose a file, without standing in the way of anything, then write it."""
        if self._dialog is not None:
            self._dialog.deleteLater()
        dialog = QFileDialog(self.window(), tr("Export to"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        dialog.setNameFilter(f"{FORMATS[suffix]} (*{suffix})")
        dialog.setDefaultSuffix(suffix.removeprefix("."))
        dialog.setDirectory(self._folder())
        local = to_datetime(start_ns).astimezone(self._context.facade.station.zone)
        dialog.selectFile(f"{self._context.facade.station.id}-{local:%Y%m%d-%H%M}{suffix}")
        dialog.setModal(False)
        dialog.fileSelected.connect(lambda file: self.write(points, start_ns, end_ns, every, Path(file)))
        self._dialog = dialog
        dialog.show()

    def _folder(self) -> str:
        stored = self._context.settings.get("export.folder", "")
        return stored or QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)

    def write(self, points: list[str], start_ns: int, end_ns: int, every: str, path: Path) -> None:
        """Begin writing; a running one is called off."""
        self._context.settings.set("export.folder", str(path.parent))
        self._share, self._began_s = 0.0, time.monotonic()
        facade = self._context.facade
        self._context.door.do(
            lambda: facade.export(points, start_ns, end_ns, every, path, self._on_progress),
            self, self._on_done, self._on_error, slot=_SLOT,
        )  # fmt: skip
        self._text.setText(tr("Writing {file}", file=path.name))
        self._text.setToolTip(str(path))
        self._show(running=True)

    def cancel(self) -> None:
        """Call it off; no file is left."""
        self._context.bridge.forget(self, _SLOT)
        self._text.setText(tr("The export was called off; nothing was written."))
        self._show(running=False)

    def _on_progress(self, share: float) -> None:
        self._share = share

    def _on_look(self) -> None:
        self._bar.setValue(round(self._share * 1000))
        spent = time.monotonic() - self._began_s
        if self._share > 0.02 and spent > 1:
            left = age_text(round(spent * (1 - self._share) / self._share * 1e9))
            self._left.setText(tr("{time} left", time=left))

    def _on_done(self, done: ExportResult) -> None:
        text = tr("{n} rows are in {file}", n=f"{done.rows:,}", file=done.path)
        if done.without:
            text += tr("; {n} points are left out, for they are kept only coarser and raw", n=done.without)
        self._text.setText(text)
        self._text.setToolTip(str(done.path))
        self._show(running=False)

    def _on_error(self, error: BaseException) -> None:
        self._text.setText(tr("Nothing was exported: {why}", why=told(error)))
        self._text.setToolTip(told(error))
        self._show(running=False)

    def _show(self, *, running: bool) -> None:
        self.running = running
        self._left.clear()
        self._bar.setValue(0)
        self._bar.setVisible(running)
        self._cancel.setVisible(running)
        self._close.setVisible(not running)
        if running:
            self._timer.start()
        else:
            self._timer.stop()
        self.show()
