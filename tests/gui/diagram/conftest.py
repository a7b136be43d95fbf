"""Stations as elements, and a diagram on the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.model.clock import SECOND_NS, ManualClock
from app.model.config import DeviceKind
from app.model.text import Text
from widgets import blink, fonts, language, theme
from widgets.diagram import DiagramView, Element, Kind, Role

NOW = 1_795_154_400 * SECOND_NS
"""2026-11-20 14:00:00 in Shanghai."""


@pytest.fixture(autouse=True)
def plain_house(qapp: QApplication) -> Iterator[None]:
    """Light, English, the console's font, nothing blinking; and so again afterwards."""
    qapp.setFont(fonts.application_font())
    theme.choose("light")
    language.choose("en")
    yield
    theme.choose("light")
    language.choose("en")
    blink.set_still(False)
    blink.want(False)


@pytest.fixture
def make(qtbot: QtBot) -> Callable[..., DiagramView]:
    """make(elements) -> a view of 1280 × 600 px that is shown."""

    def build(elements: Sequence[Element], width: int = 1280, height: int = 600) -> DiagramView:
        view = DiagramView(clock=ManualClock(NOW))
        qtbot.addWidget(view)
        view.set_zone(ZoneInfo("Asia/Shanghai"))
        view.resize(width, height)
        view.set_elements(elements)
        view.show()
        settle()
        return view

    return build


def settle() -> None:
    """Let Qt paint what it was told to."""
    for _ in range(3):
        QApplication.processEvents()


def device(
    id_: str, kind: DeviceKind, parent: str | None, *, inline: bool = False, role: Role | None = None
) -> Element:
    roles = {
        DeviceKind.PV_INVERTER: Role.SOURCE, DeviceKind.GENSET: Role.SOURCE, DeviceKind.PCS: Role.STORAGE,
        DeviceKind.BMS: Role.STORAGE, DeviceKind.LOAD: Role.LOAD, DeviceKind.CHARGER: Role.LOAD,
    }  # fmt: skip
    return Element(
        id_, Kind.DEVICE, Text(id_, f"{id_}号"), parent=parent, device_kind=kind, device=id_, inline=inline,
        role=role or roles.get(kind),
    )  # fmt: skip


def node(id_: str, kind: Kind, from_: str | None = None, to: str | None = None, kv: float | None = None) -> Element:
    role = Role.GRID if kind is Kind.GRID else None
    return Element(id_, kind, Text.of(id_), from_=from_, to=to, voltage_kv=kv, role=role)


def park(inverters: int = 20, chargers: int = 6) -> list[Element]:
    """Grid, transformer, one busbar; photovoltaics, genset, storage, a load, chargers."""
    return [
        node("grid", Kind.GRID, kv=10),
        node("t1", Kind.TRANSFORMER, "grid", "qf0"),
        node("qf0", Kind.BREAKER, to="bus"),
        node("bus", Kind.BUS, kv=0.4),
        device("meter", DeviceKind.METER, "bus", inline=True, role=Role.GRID),
        node("qf_pv", Kind.BREAKER, "bus", "f_pv"),
        node("f_pv", Kind.FEEDER),
        device("m_pv", DeviceKind.METER, "f_pv", inline=True, role=Role.SOURCE),
        *(device(f"inv{i}", DeviceKind.PV_INVERTER, "f_pv") for i in range(1, inverters + 1)),
        node("qf_gen", Kind.BREAKER, "bus", "gen"),
        device("gen", DeviceKind.GENSET, None),
        node("qf_ess", Kind.BREAKER, "bus", "f_ess"),
        node("f_ess", Kind.FEEDER),
        device("pcs", DeviceKind.PCS, "f_ess"),
        device("bms", DeviceKind.BMS, "pcs"),
        device("works", DeviceKind.LOAD, "bus"),
        node("qf_ev", Kind.BREAKER, "bus", "f_ev"),
        node("f_ev", Kind.FEEDER),
        *(device(f"evc{i}", DeviceKind.CHARGER, "f_ev") for i in range(1, chargers + 1)),
    ]


def pixels(view: DiagramView) -> NDArray[np.uint8]:
    """uint8[height, width, 3] of what is on the screen."""
    settle()
    image = view.viewport().grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    raw = np.array(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return raw[:, : image.width() * 4].reshape(image.height(), image.width(), 4)[:, :, 2::-1]


def cell(view: DiagramView, id_: str) -> tuple[slice, slice]:
    """Rows and columns of an element's cell on the screen."""
    place = view.shown().places[id_]
    corner = view.mapFromScene(place.x, place.y)
    end = view.mapFromScene(place.right, place.bottom)
    return slice(max(corner.y(), 0), max(end.y(), 0)), slice(max(corner.x(), 0), max(end.x(), 0))


def count(view: DiagramView, id_: str, token: str) -> int:
    """Pixels of exactly this colour in an element's cell."""
    colour = theme.colour(token)
    part = pixels(view)[cell(view, id_)]
    return int(np.all(part == [colour.red(), colour.green(), colour.blue()], axis=2).sum())
