"""Random commands of every role, orders of a centre and a field that talks nonsense: what is on the wire stays within."""

from __future__ import annotations

import math
import random
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import yaml

from app.bench.control import Field, write_park
from app.configuration import configure
from app.control.registry import kinds
from app.control.strategies.contract import Ask, Floats, Params, Strategy, Units, View, Wish
from app.history.folder import DataFolder
from app.model.control import GridOrder, Mode, Quantity, Rank, Running
from app.model.errors import GridroomError
from app.model.text import Text
from app.station import RunningStation
from tests.support.doors import GOOD

ROLES = ("administrator", "engineer", "operator", "observer")
CHARGE, GIVE, LIMIT = 60.0, 70.0, 50.0
"""What the batteries allow, and an inverter's rating, kW."""
ODD = (math.nan, math.inf, -math.inf, 1e300, -1e300, 0.0, -0.0, 5e-324, 65535.0, -32768.0)
AT_ONCE = 50
"""So many are asked before anybody waits for an answer."""
DEVICES = ("pcs0", "pcs1", "inv0", "meter1", "*", "", "pcs9", "pcs0.p_set", "'; DROP TABLE audit; --")


class Wire(Field):
    """What two storages and an inverter hold; remembers every value that was written, by address."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[tuple[int, float]] = []
        for register, value in ((6, CHARGE), (10, GIVE)):
            self.put(register, value)

    def _answer(self, request: bytes) -> bytes:
        if request[7] not in (3, 4):
            address = int.from_bytes(request[8:10])
            self.values.append((address, struct.unpack(">f", request[13:17])[0]))
        return super()._answer(request)


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as made:
        yield made


def number(dice: random.Random) -> float:
    return dice.choice(ODD) if dice.random() < 0.3 else dice.gauss(0, 200)


def deed(dice: random.Random, door: Any, armed: list[tuple[str, str, str]]) -> Any:
    """Something that somebody may ask."""
    control, device = door.control, dice.choice(DEVICES[:3] if dice.random() < 0.7 else DEVICES)
    match dice.randrange(12):
        case 0 | 1 | 2:
            return control.request(device, dice.choice(list(Quantity)), number(dice), reason="x" * dice.randrange(50))
        case 3 | 4:
            return control.set_mode(device, dice.choice(list(Mode)))
        case 5:
            return control.run_strategy(dice.choice(("demand", "export", "no")), dice.choice(list(Running)))
        case 6:
            return control.tag(device, dice.choice(("work", "", " "))) if dice.random() < 0.1 else control.untag(device)
        case 7:
            role = dice.choice(("start", "stop", "open", "reset", "\0"))
            armed.append((device, role, control.arm(device, role)))
            return None
        case 8:
            return control.command(*dice.choice([*armed, ("pcs0", "start", "00")]))
        case 9:
            return control.release_stop() if dice.random() < 0.95 else control.stop_all()
        case 10:
            return door.strategies.change("demand", dice.choice(("limit_kw", "x")), repr(number(dice)))
        case _:
            return control.reset_trip(device)


def nonsense(dice: random.Random, wire: Wire) -> None:
    """The field tells anything of meter, power and charge; the batteries' limits stay."""
    register = dice.choice((0, 2, 4, 8))
    content = struct.pack(">f", dice.gauss(50, 60))
    if dice.random() < 0.3:
        content = dice.choice((content[2:] + content[:2], dice.randbytes(4), struct.pack(">f", math.nan)))
    wire.registers[2 * register : 2 * register + 4] = content


class Wild(Strategy[Params, int]):
    """Asks anything of storage and sun, and another thing each time."""

    kind: ClassVar[str] = "wild"
    name: ClassVar[Text] = Text("wild", "乱")
    rank: ClassVar[Rank] = Rank.ECONOMICS
    uses: ClassVar[tuple[Quantity, ...]] = (Quantity.ACTIVE, Quantity.LIMIT)
    form: ClassVar[type[Params]] = Params

    def begin(self) -> int:
        return random.getrandbits(32)

    def decide(self, view: View, state: int) -> tuple[Wish, int]:
        dice = np.random.default_rng(state)
        if dice.random() < 0.002:
            raise ZeroDivisionError("as a plugin may")
        wish = Wish(self.name, _ask(dice, view.storage), _ask(dice, view.pv), sound=bool(dice.random() > 0.002))
        return wish, int(dice.integers(1 << 32))


def _ask(dice: np.random.Generator, units: Units) -> Ask:
    def column(size: float, odd: float) -> Floats:
        found = dice.normal(0, size, len(units))
        return np.where(dice.random(len(units)) < odd, dice.choice(np.array(ODD), len(units)), found)

    return Ask(column(300, 0.7), column(300, 0.7), column(100, 0.2))


def _within(wire: Wire) -> None:
    """Each value that was written may be."""
    address, value = np.array(wire.values).T
    low, high = np.where(address == 20, -CHARGE, 0.0), np.where(address == 20, GIVE, LIMIT)
    assert set(address) == {20, 30}
    with np.errstate(invalid="ignore"):
        wrong = ~((low - 1e-3 <= value) & (value <= high + 1e-3))
    assert not wrong.any(), [*zip(address[wrong], value[wrong], strict=True)][:5]


def test_no_limit_is_passed_on_the_wire_whoever_asks_for_whatever(
    tmp_path: Path, wire: Wire, request: pytest.FixtureRequest
) -> None:
    dice = random.Random(3)
    write_park(tmp_path, 2, 1, wire.port, scan="50ms")
    with DataFolder.open(tmp_path / "data", "a test") as data:
        station = RunningStation(configure(tmp_path), data.path)
        station.start()
        try:
            _fuzz(dice, station, wire, 100_000 if request.config.getoption("--nightly") else 1_500)
        finally:
            station.stop()
    assert len(wire.values) > 50
    _within(wire)


@pytest.mark.expects_errors
def test_no_limit_is_passed_on_the_wire_whatever_strategies_ask(
    tmp_path: Path, wire: Wire, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million frames in a night."""
    monkeypatch.setitem(kinds(), Wild.kind, Wild)
    dice, frames = random.Random(4), 1_000_000 if request.config.getoption("--nightly") else 3_000
    write_park(tmp_path, 20, 20, wire.port, scan="20ms")
    devices = [f"pcs{n}" for n in range(20)] + [f"inv{n}" for n in range(20)]
    wild = [{"id": rank.value, "kind": Wild.kind, "priority": rank.value, "mode": "live", "devices": devices}
            for rank in Rank if rank is not Rank.OPERATOR]  # fmt: skip
    (tmp_path / "strategies.yaml").write_text(yaml.safe_dump({"strategies": wild}), encoding="utf-8")
    with DataFolder.open(tmp_path / "data", "a test") as data:
        station = RunningStation(configure(tmp_path), data.path)
        station.start()
        try:
            chief = station.facade("a test")
            chief.access.name_administrator("administrator", GOOD).result(30)
            end = time.monotonic() + max(120.0, frames / 250)
            while len(wire.values) < frames:
                assert time.monotonic() < end, f"{len(wire.values)} frames only"
                nonsense(dice, wire)
                time.sleep(0.02)  # so often the meter is read: every reading is another nonsense
                if dice.random() < 0.01:
                    _settle([chief.control.reset_trip(device) for device in devices])
        finally:
            station.stop()
    _within(wire)


def _fuzz(dice: random.Random, station: RunningStation, wire: Wire, count: int) -> None:
    chief = station.facade("a test")
    chief.access.name_administrator("administrator", GOOD).result(30)
    doors: dict[str, Any] = {"administrator": chief}
    for role in ROLES[1:]:
        password = chief.accounts.add(role, role).result(30)
        doors[role] = door = station.facade(f"door of {role}")
        door.access.sign_in(role, password).result(30)
        door.access.change_password(password, GOOD + role).result(30)
    armed: list[tuple[str, str, str]] = []
    waiting: list[Future[Any]] = []
    for k in range(count):
        nonsense(dice, wire)
        if k % 50 == 0:
            waiting += _begin_anew(chief.control, dice)
        with suppress(GridroomError, ValueError, OverflowError):
            answer = deed(dice, doors[dice.choice(ROLES)], armed)
            waiting += [answer] if isinstance(answer, Future) else []
        if dice.random() < 0.1:
            name = dice.choice(("pcs0.p_set", "inv0.p_lim", "meter1.p_kw", "", "no.such"))
            order = GridOrder("d1", "10.0.0.5", "northbound.d1.7", name, number(dice), False, dice.random() < 0.2)
            waiting.append(station.control.order(order))
        if len(waiting) > AT_ONCE:
            _settle(waiting)
    _settle(waiting)
    _nobody_who_looks_writes(dice, station, doors, wire)


def _settle(waiting: list[Future[Any]]) -> None:
    """Refused in words, or done: nothing else."""
    for answer in waiting:
        with suppress(GridroomError, ValueError, OverflowError):
            answer.result(60)
    waiting.clear()


def _begin_anew(control: Any, dice: random.Random) -> list[Future[Any]]:
    """Somebody clears up: else all would soon be tagged, tripped and stopped."""
    asked = [control.release_stop(), control.set_mode("*", Mode.AUTO)]
    for device in DEVICES[:3]:
        mode = dice.choice((Mode.AUTO, Mode.MANUAL))
        asked += [control.reset_trip(device), control.untag(device), control.set_mode(device, mode)]
    return asked


def _nobody_who_looks_writes(dice: random.Random, station: RunningStation, doors: dict[str, Any], wire: Wire) -> None:
    """With all off, whatever an observer asks is no frame."""
    control: Any = doors["administrator"].control
    _settle(_begin_anew(control, dice))  # what has tripped is held at its safe power for ever
    control.set_mode("*", Mode.OFF).result(60)
    until_quiet(wire)
    before = len(wire.values)
    for _ in range(200):
        with suppress(GridroomError, ValueError, OverflowError):
            answer = deed(dice, doors["observer"], [])
            if isinstance(answer, Future):
                answer.result(30)
    time.sleep(1.0)
    assert len(wire.values) == before


def until_quiet(wire: Wire, seconds: float = 30.0, quiet: Callable[[int, int], bool] = int.__eq__) -> None:
    """Everything has been led to rest and is left alone."""
    end = time.monotonic() + seconds
    while True:
        before = len(wire.values)
        time.sleep(4.0)  # longer than a renewal takes to come again
        if quiet(before, len(wire.values)):
            return
        assert time.monotonic() < end, "it is never left alone"
