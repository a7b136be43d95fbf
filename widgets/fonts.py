"""The typeface: the platform's sans with a Chinese face, 13 px at 100 %, figures of one width."""

from __future__ import annotations

from typing import Final

from PySide6.QtGui import QFont, QFontDatabase, QFontInfo

BASE_PX: Final = 13
SMALL_PX: Final = 12
"""Nothing is smaller."""
CHINESE: Final = ("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC",
                  "WenQuanYi Micro Hei")  # fmt: skip
_PLAIN: Final = ("DejaVu Sans", "Bitstream Vera Sans", "Sans Serif", "Sans")
"""What Linux falls back to where no desktop chose a face: wide, and a poor neighbour of Chinese."""


def application_font() -> QFont:
    """The font of everything that does not choose its own size."""
    installed = set(QFontDatabase.families())
    chinese = [family for family in CHINESE if family in installed]
    platform = QFontInfo(QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)).family()
    if platform in _PLAIN:
        better = [family for family in ("Noto Sans", *chinese) if family in installed]
        families = [*better, platform]
    else:
        families = [platform, *chinese]
    font = QFont()
    font.setFamilies(list(dict.fromkeys(families)))
    return sized(font, BASE_PX)


def sized(font: QFont, pixels: int, *, bold: bool = False) -> QFont:
    """A copy of another size, with figures of one width so that a changing value does not jump sideways."""
    copy = QFont(font)
    copy.setPixelSize(max(pixels, SMALL_PX))
    copy.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    copy.setFeature(QFont.Tag("tnum"), 1)
    return copy
