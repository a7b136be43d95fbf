"""What Qt tells a delegate of an item. Its Python stubs leave these attributes out."""

from __future__ import annotations

from typing import Final, Protocol, cast

from PySide6.QtCore import QRect
from PySide6.QtGui import QFont, QFontMetrics
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem, QWidget


class ItemOption(Protocol):
    """The attributes of QStyleOptionViewItem that we paint by."""

    rect: QRect
    state: QStyle.StateFlag
    font: QFont
    fontMetrics: QFontMetrics
    widget: QWidget | None


def item(option: QStyleOptionViewItem) -> ItemOption:
    """The same object, typed."""
    return cast(ItemOption, option)


_SELECTED: Final[int] = QStyle.StateFlag.State_Selected.value


def is_selected(option: QStyleOptionViewItem) -> bool:
    """Whether the item is selected."""
    return bool(item(option).state.value & _SELECTED)  # flags are Python enums: their operators cost more than a cell
