"""The strategy contract: a frozen view in; intervals, targets and reasons out. A strategy never sees a device.

A kind is a class with declared parameters. What it remembers is a value of its own that it is given and gives back, so
that the same views lead to the same wishes: in the engine, in a backtest, in a test.
Plugins: an entry point in the group `gridroom.strategies`, of the kind's name, that leads to the class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.model.control import Quantity, Rank
from app.model.fields import Form
from app.model.text import Text

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def about(unit: str, en: str, zh: str, **bounds: Any) -> Any:
    """A parameter's declaration: unit, meaning in both languages, and its range as pydantic says it."""
    return Field(json_schema_extra={"unit": unit, "en": en, "zh": zh}, **bounds)


class Params(Form):
    """Base of every kind's parameters."""


@dataclass(frozen=True, slots=True)
class Units:
    """The channels of one quantity that a strategy may use, as columns of length m."""

    device: tuple[str, ...]
    rating: Floats
    power: Floats
    """kW (kvar) now, of storage discharge positive; NaN where it may not be used."""
    held: Floats
    """What was last allowed; NaN before the first."""
    soc: Floats
    """%; NaN where it may not be used, or there is no battery."""
    soh: Floats
    charge: Floats
    """The most that may be charged now, kW, not negative: rating, range and the battery's own limit; 0 where it is not
    usable, or its band ends. Of reactive power the most that may be taken, kvar."""
    discharge: Floats
    """The same of what may be given."""
    energy_kwh: Floats
    soc_low: Floats
    soc_high: Floats
    full_age_s: Floats
    """Since it was at the top of its band."""
    usable: Bools
    """It answers, is remote, not tripped and in auto."""

    def __len__(self) -> int:
        return len(self.device)

    @property
    def total(self) -> float:
        """Sum of the powers that are known."""
        return float(self.power.sum(where=self.usable))


@dataclass(frozen=True, slots=True)
class View:
    """What a strategy sees of one moment."""

    now_ns: int
    local: datetime
    """In the station's zone."""
    dt_s: float
    """Since the last view; 0 at the first."""
    meter_kw: float
    """Import positive; NaN where it may not be used."""
    meter_kvar: float
    storage: Units
    pv: Units
    reactive: Units
    chargers: Units
    """`power` is what each takes, positive out of the busbar; `charge` and `discharge` mean nothing of them."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Of the points that its parameters name; NaN where one may not be used."""
    settled_kw: float | None = None
    """`without_storage_kw` of meter and storage as they were at one moment; None: as they are."""

    @property
    def without_storage_kw(self) -> float:
        """What the meter would show if this strategy's storage stood still."""
        return self.meter_kw + self.storage.total if self.settled_kw is None else self.settled_kw


@cache
def column(m: int, value: float) -> Floats:
    """float64[m] of one value, shared and not to be written."""
    made: Floats = np.full(m, value)
    made.setflags(write=False)
    return made


@dataclass(frozen=True, slots=True)
class Ask:
    """For each of m channels an interval, and a target where there is one (else NaN)."""

    low: Floats
    high: Floats
    target: Floats

    @staticmethod
    def free(m: int) -> Ask:
        """Everything allowed, nothing wanted."""
        return Ask(column(m, -np.inf), column(m, np.inf), column(m, np.nan))


@dataclass(frozen=True, slots=True)
class Wish:
    """What a strategy wants now."""

    why: Text
    storage: Ask | None = None
    pv: Ask | None = None
    reactive: Ask | None = None
    idle: Ask | None = None
    """What storage is to do where nobody wants anything of it: after the targets of every rank."""
    chargers: Ask | None = None
    """Of each what it may take: `high` binds, a charger takes what its vehicles ask below it."""
    reason: str = ""
    """A word that stays the same while the reason does, such as `shave`: a new one opens a row of the ledger."""
    switch: Mapping[str, bool] = field(default_factory=dict)
    """Devices (of `Strategy.switches`) that shall run, or rest; one that is not named stays as it is."""
    sound: bool = True
    """False: its inputs may not be used; its devices then do what their policy says (`on_bad_input`)."""


P = TypeVar("P", bound=Params)
S = TypeVar("S")


class Strategy(ABC, Generic[P, S]):
    """One kind. An instance holds its parameters and nothing else."""

    kind: ClassVar[str]
    name: ClassVar[Text]
    rank: ClassVar[Rank]
    """Where the file says none."""
    is_limit: ClassVar[bool] = False
    """A limit of the site: it also binds devices in manual."""
    uses: ClassVar[tuple[Quantity, ...]] = (Quantity.ACTIVE,)
    """What it sets of its devices; what else they have it may see."""
    uses_chargers: ClassVar[bool] = False
    """It sets what chargers may take (load management)."""
    version: ClassVar[int] = 1
    """Of what it does with the same parameters."""
    form: ClassVar[type[Params]]

    def __init__(self, params: P) -> None:
        self.params = params

    def points(self) -> tuple[str, ...]:
        """Full names of points that its parameters name: `View.values` has them."""
        return ()

    def switches(self) -> tuple[str, ...]:
        """Ids of devices that it starts and stops."""
        return ()

    def memory(self) -> tuple[object, ...]:
        """Parameters that give what it remembers its meaning: with others it begins anew."""
        return ()

    @abstractmethod
    def begin(self) -> S:
        """What it remembers before the first view. JSON can hold it."""

    @abstractmethod
    def decide(self, view: View, state: S) -> tuple[Wish, S]:
        """The wish for a view, and what to remember. Pure; raises nothing."""


def unsound(what: Text) -> Wish:
    """The wish of a strategy whose inputs may not be used."""
    return Wish(what, sound=False)


NO_METER = Text("the meter has no usable value", "电表无有效值")
