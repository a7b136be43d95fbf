"""What a device is: id, names, kind, parent, template, ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.model.commissioning import Contents
from app.model.config import DeviceKind
from app.model.errors import Wrong
from app.model.text import Text
from widgets import language
from widgets.editor.draft import DeviceDraft
from widgets.editor.fields import ChoiceField, Field, Scrolled, TextField, called, stacked
from widgets.editor.scalars import line_of, parse
from widgets.editor.templates import TemplateList, kind_text

RATINGS: Final[Mapping[str, str]] = {
    "power_kw": "Rated power, kW",
    "energy_kwh": "Rated energy, kWh",
    "apparent_kva": "Rated apparent power, kVA",
    "voltage_v": "Rated voltage, V",
    "current_a": "Rated current, A",
}


class DeviceForm(QWidget):
    """Fields at the left, templates at the right. Writes into the draft that it is given."""

    edited = Signal()
    template_taken = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._draft: DeviceDraft | None = None
        self.id = TextField(called("Id"))
        self.name_en = TextField(called("Name, English"))
        self.name_zh = TextField(called("Name, Chinese"))
        self.kind = ChoiceField(called("Kind"))
        self.parent_id = ChoiceField(called("Hangs on"), free=True)
        self.template = TextField(called("Template"))
        self.ratings = {key: TextField(called(text)) for key, text in RATINGS.items()}
        self.templates = TemplateList()
        self._fields: dict[tuple[str, ...], Field] = {
            ("id",): self.id, ("name",): self.name_en, ("name", "en"): self.name_en, ("name", "zh"): self.name_zh,
            ("kind",): self.kind, ("parent",): self.parent_id, ("template",): self.template,
            **{("ratings", key): field for key, field in self.ratings.items()},
        }  # fmt: skip
        left = Scrolled(stacked([*dict.fromkeys(self._fields.values())]))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(left, 1)
        row.addWidget(self.templates, 1)
        for field in dict.fromkeys(self._fields.values()):
            field.edited.connect(self._on_edited)
        self.templates.taken.connect(self._on_taken)
        language.changed.connect(self._kinds)
        self._kinds()

    def _kinds(self) -> None:
        self.kind.set_choices([(kind.value, kind_text(kind.value)) for kind in DeviceKind])

    def set_contents(self, contents: Contents) -> None:
        """What may be chosen."""
        self.templates.model.set_templates(contents.templates)
        places = [*contents.elements, *(str(form.get("id", "")) for form in contents.devices)]
        self.parent_id.set_choices([("", ""), *((place, place) for place in places if place)])

    def show_draft(self, draft: DeviceDraft) -> None:
        """Fill the fields from it."""
        self._draft = draft
        form = draft.form
        name = form.get("name")
        names = name if isinstance(name, Mapping) else {"en": name, "zh": ""}
        self.id.set_text(draft.id)
        self.name_en.set_text(str(names.get("en") or ""))
        self.name_zh.set_text(str(names.get("zh") or ""))
        self.kind.set_value(str(form.get("kind") or ""))
        self.parent_id.set_value(str(form.get("parent") or ""))
        self.template.set_text(str(form.get("template") or ""))
        self.templates.model.set_chosen(str(form.get("template") or ""))
        ratings = form.get("ratings")
        for key, field in self.ratings.items():
            field.set_text(line_of(ratings.get(key)) if isinstance(ratings, Mapping) else "")
            field.set_problem(None)

    def set_faults(self, faults: Sequence[tuple[tuple[str, ...], Text]]) -> None:
        """(place, words) of each; what belongs to another part is left alone."""
        by_field: dict[Field, list[Text]] = {}
        for place, words in faults:
            field = self._fields.get(place[:2]) or self._fields.get(place[:1])
            if field is not None:
                by_field.setdefault(field, []).append(words)
        for field in self._fields.values():
            field.set_faults(by_field.get(field, []))

    def problems(self) -> list[str]:
        """What cannot even be asked."""
        return [f"{field.label.text()}: {field.problem}" for field in self._fields.values() if field.problem]

    def _on_edited(self) -> None:
        draft = self._draft
        if draft is None:
            return
        draft.set(("id",), self.id.text() or None)
        draft.set(("name",), self._name())
        draft.set(("kind",), self.kind.value() or None)
        draft.set(("parent",), self.parent_id.value() or None)
        for key, field in self.ratings.items():
            self._put(field, ("ratings", key))
        if self.template.text() != str(draft.form.get("template") or ""):
            self._take(self.template.text())
        self.edited.emit()

    def _name(self) -> Any:
        """In the form that the file has where that is enough: one text for both languages, or one each."""
        english, chinese = self.name_en.text(), self.name_zh.text()
        if not english and not chinese:
            return None
        before = self._draft.form.get("name") if self._draft else None
        if isinstance(before, str) and not chinese:
            return english
        return {key: text for key, text in (("en", english), ("zh", chinese)) if text}

    def _put(self, field: TextField, path: tuple[str, ...]) -> None:
        try:
            value = parse(field.text())
        except Wrong as error:
            field.set_problem(error.text)
            return
        field.set_problem(None)
        if self._draft is not None:
            self._draft.set(path, value)

    def _on_taken(self, name: str) -> None:
        self.template.set_text(name)
        self._take(name)
        known = self.templates.model.find(name)
        if known is not None and self._draft is not None and self._draft.before is None:
            self.kind.set_value(known.kind)
            self._draft.set(("kind",), known.kind)
        self.edited.emit()

    def _take(self, name: str) -> None:
        if self._draft is not None:
            self._draft.set(("template",), name or None)
        self.templates.model.set_chosen(name)
        self.template_taken.emit(name)

    def focus(self) -> None:
        """Where typing begins."""
        self.id.edit.setFocus()
