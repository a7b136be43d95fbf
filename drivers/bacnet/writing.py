"""Values to be written, as each object takes them; NaN takes a value back."""

from __future__ import annotations

import math
from typing import Any

from bacpypes3.apdu import WritePropertyRequest
from bacpypes3.constructeddata import Array
from bacpypes3.primitivedata import (
    Boolean,
    Double,
    Enumerated,
    Integer,
    Null,
    ObjectIdentifier,
    ObjectType,
    PropertyIdentifier,
    Real,
    Unsigned,
)
from bacpypes3.vendor import get_vendor_info

from app.model.station import Point
from drivers.bacnet.address import PRESENT_VALUE, Address

_WHOLE = (Unsigned, Integer, Enumerated)


def request(point: Point, value: float) -> WritePropertyRequest:
    """The request that writes one value in the point's unit, or with NaN releases the address' priority.

    Raises ValueError where the object cannot take it.
    """
    address = Address.of(point.form.address or {})
    commanded = address.property_id == PRESENT_VALUE
    if math.isnan(value):
        if not commanded:
            raise ValueError(f"{point.name} cannot be released: only a present value has priorities")
        content: Any = Null(())
    else:
        content = _encode(point, address, (value - point.form.offset) / point.form.scale)
    made = WritePropertyRequest(
        objectIdentifier=ObjectIdentifier(address.object_id),
        propertyIdentifier=address.property_id,
        propertyArrayIndex=address.index,
        propertyValue=content,
    )
    if commanded:
        made.priority = address.priority
    return made


def _encode(point: Point, address: Address, raw: float) -> Any:
    """A value as the standard types the property; a Real where the standard does not say."""
    type_ = _type_of(address)
    if not math.isfinite(raw):
        raise ValueError(f"{point.name} cannot take {raw}")
    if issubclass(type_, Boolean):
        if raw not in (0, 1):
            raise ValueError(f"{point.name} is true or false, and cannot take {raw:g}")
        return Boolean(bool(raw))
    if issubclass(type_, _WHOLE):
        whole = round(raw)
        low = -(2**31) if issubclass(type_, Integer) else 0
        if not math.isclose(raw, whole, abs_tol=1e-9) or not low <= whole < 2**32:
            raise ValueError(f"{point.name} takes whole numbers from {low}, and cannot take {raw:g}")
        base = next(base for base in _WHOLE if issubclass(type_, base))
        return base(whole)
    if issubclass(type_, Double):
        return Double(raw)
    if issubclass(type_, Real):
        if abs(raw) > 3.4028234663852886e38:
            raise ValueError(f"{point.name} is a Real, and cannot take {raw:g}")
        return Real(raw)
    raise ValueError(f"{point.name} cannot be written: the property is no number")


def _type_of(address: Address) -> type:
    class_ = get_vendor_info(0).get_object_class(ObjectType(address.object_type))
    type_ = class_ and class_.get_property_type(PropertyIdentifier(address.property_id))
    if type_ is None:
        return Real  # type: ignore[no-any-return]
    if issubclass(type_, Array) and address.index is not None:
        return type_._subtype if address.index else Unsigned  # type: ignore[no-any-return]
    return type_  # type: ignore[no-any-return]
