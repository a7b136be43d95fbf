"""Registers to values and back."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.address import Address
from drivers.modbus.codec import Decoder, decode, decode_text, encode, limits

_PACKED = {"u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q", "f32": "f", "f64": "d"}


def _address(type_: str, word_order: str = "big", register: int = 0, **more: Any) -> Address:
    return Address.of({"table": "holding", "register": register, "type": type_, "word_order": word_order, **more})


@st.composite
def numbers(draw: st.DrawFn) -> tuple[Address, float]:
    """An address and a raw number that its registers hold exactly, as a float64 does."""
    type_ = draw(st.sampled_from(list(_PACKED)))
    address = _address(type_, draw(st.sampled_from(["big", "little"])))
    if type_ in ("f32", "f64"):
        return address, draw(st.floats(width=32 if type_ == "f32" else 64, allow_nan=False, allow_infinity=False))
    low, high = limits(address)
    return address, draw(st.integers(max(int(low), -(2**53)), min(int(high), 2**53)))


@given(numbers())
def test_every_number_survives_the_round_trip(case: tuple[Address, float]) -> None:
    address, raw = case
    registers = encode(address, raw)
    assert len(registers) == address.count
    assert all(0 <= register <= 0xFFFF for register in registers)
    assert decode(address, registers) == raw


@given(numbers())
def test_registers_are_what_struct_packs(case: tuple[Address, float]) -> None:
    address, raw = case
    words = struct.unpack(f">{address.count}H", struct.pack(">" + _PACKED[address.type], raw))
    assert encode(address, raw) == list(words if address.word_order == "big" else reversed(words))


@given(st.lists(numbers(), max_size=60), st.randoms(use_true_random=False))
def test_many_values_decode_as_each_by_itself(cases: list[tuple[Address, float]], random: Any) -> None:
    memory: list[int] = []
    placed = []
    for address, raw in cases:
        placed.append((address, raw, len(memory)))
        memory += [*encode(address, raw), 0xDEAD]
    random.shuffle(placed)
    decoder = Decoder([address for address, _, _ in placed], [at for _, _, at in placed])
    value = decoder.decode(np.array(memory, ">u2"), np.zeros(0, np.uint8))
    assert value.tolist() == [float(raw) for _, raw, _ in placed]


@given(st.integers(0, 0xFFFF), st.integers(0, 15), st.booleans())
def test_a_bit_changes_alone(register: int, bit: int, state: bool) -> None:
    address = Address.of({"table": "holding", "register": 0, "bit": bit})
    (after,) = encode(address, state, register)
    assert decode(address, [after]) == state
    assert after ^ register in (0, 1 << bit)


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_coils_decode_from_bits(states: list[bool]) -> None:
    addresses = [Address.of({"table": "coil", "register": n}) for n in range(len(states))]
    decoder = Decoder(addresses, range(len(states)))
    bits = np.array(states, np.uint8)
    assert decoder.decode(np.zeros(0, ">u2"), bits).tolist() == [float(state) for state in states]


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800001, 0x7F800000, 0xFF800000])
def test_what_is_no_number_comes_out_as_none(bits: int) -> None:
    assert not math.isfinite(decode(_address("f32"), [bits >> 16, bits & 0xFFFF]))


@pytest.mark.parametrize(
    ("type_", "raw"),
    [
        ("u16", -1), ("u16", 65536), ("i16", 32768), ("i16", -32769), ("u32", 2**32), ("i32", -(2**31) - 1),
        ("u64", 2.0**64), ("i64", 2.0**63), ("f32", 3.5e38), ("u16", math.nan), ("f32", math.inf), ("f64", math.nan),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(type_: str, raw: float) -> None:
    with pytest.raises(ValueError, match=f"{type_} holds"):
        encode(_address(type_), raw)


def test_integers_are_rounded_to_the_nearest() -> None:
    assert encode(_address("u16"), 12.3 / 0.1) == [123]
    assert encode(_address("i16"), -0.6) == [0xFFFF]


def test_texts() -> None:
    address = _address("string", count=4)
    assert decode_text(encode(address, "SN-42")) == "SN-42"
    assert decode_text([0x4142, 0x2000, 0x4344]) == "AB"
    assert decode_text([0xFFFF]) == "\ufffd\ufffd"
    with pytest.raises(ValueError, match="9 bytes, and 4 registers hold 8"):
        encode(address, "123456789")
    with pytest.raises(ValueError, match="decode_text"):
        decode(address, [0, 0, 0, 0])
