"""Devices and points for tests of the Modbus driver, without a station around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.model.config import BlocksForm, ControlForm, DeviceKind, PointForm, RatingsForm
from app.model.station import Device, Point
from app.model.text import Text


def point(id_: str, address: Mapping[str, Any], **form: Any) -> dict[str, Any]:
    """A point's form; a measurement unless it says otherwise."""
    return {"id": id_, "name": id_, "kind": "measurement", "address": dict(address), **form}


def device(
    id_: str,
    connection: Mapping[str, Any],
    points: Sequence[Mapping[str, Any]],
    *,
    blocks: Mapping[str, Any] | None = None,
    first_index: int = 0,
) -> Device:
    """A device whose points are numbered from `first_index`; those of kind text go beside the table."""
    forms = [PointForm.model_validate(form) for form in points]
    texts = tuple(Point(-1, f"{id_}.{form.id}", id_, form) for form in forms if form.kind == "text")
    table = [form for form in forms if form.kind != "text"]
    return Device(
        id=id_,
        name=Text.of(id_),
        kind=DeviceKind.METER,
        parent=None,
        driver="modbus-tcp",
        connection=connection,
        ratings=RatingsForm(),
        control=ControlForm(),
        blocks=BlocksForm.model_validate(blocks or {}),
        points=tuple(Point(first_index + i, f"{id_}.{form.id}", id_, form) for i, form in enumerate(table)),
        texts=texts,
    )
