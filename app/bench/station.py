"""Stations of many like points, for measuring without a field."""

from __future__ import annotations

from pathlib import Path

from app.model.config import (
    BlocksForm,
    ControlForm,
    DeviceKind,
    HistoryForm,
    LimitsForm,
    LocationForm,
    PointForm,
    RatingsForm,
)
from app.model.station import Device, Point, Station
from app.model.text import Text

_A_DEVICE = 1000


def flat_station(points: int, scan: str = "1s") -> Station:
    """A station of so many measurements in kW at two decimals, a thousand a device: `d0.p0`, `d0.p1`, ... `d1.p0`."""
    forms = [
        PointForm.model_validate(
            {
                "id": f"p{place}",
                "name": f"p{place}",
                "kind": "measurement",
                "unit": "kW",
                "address": {},
                "precision": 2,
                "scan": scan,
            }
        )
        for place in range(min(points, _A_DEVICE))
    ]
    all_points = tuple(
        Point(index, f"d{index // _A_DEVICE}.p{index % _A_DEVICE}", f"d{index // _A_DEVICE}", forms[index % _A_DEVICE])
        for index in range(points)
    )
    devices = tuple(
        Device(
            id=f"d{start // _A_DEVICE}",
            name=Text.of(f"d{start // _A_DEVICE}"),
            kind=DeviceKind.METER,
            parent=None,
            driver=None,
            connection={},
            ratings=RatingsForm(),
            control=ControlForm(),
            blocks=BlocksForm(),
            points=all_points[start : start + _A_DEVICE],
            texts=(),
        )
        for start in range(0, points, _A_DEVICE)
    )
    return Station(
        id="bench",
        name=Text.of("Bench"),
        timezone="Asia/Shanghai",
        location=LocationForm(latitude=30.0, longitude=120.0),
        limits=LimitsForm(),
        grid_meter=None,
        read_only=True,
        history=HistoryForm(),
        topology=(),
        devices=devices,
        points=all_points,
        directory=Path(),
    )
