"""One cycle of control: inputs, strategies, arbiter, protection. What comes of it goes to the dispatcher."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.control.arbiter import Claim, Verdict, arbitrate
from app.control.dwell import Dwell
from app.control.fleet import NOWHERE, Fleet, Floats, carried, clamp
from app.control.full_charge import FullCharge
from app.control.gates import Metered, gates_of
from app.control.hunting import Hunting
from app.control.inputs import Inputs, Reader, Table, known, or_else
from app.control.loading import Bound
from app.control.pairing import Pairing
from app.control.policy import Policy
from app.control.protection import CLIPS, Bounds, Codes, DeviceProtection, Gate, coded, first_of, ramped, within_gate
from app.control.standing import Standing
from app.control.strategies.contract import Wish, column
from app.control.stuck_soc import StuckSoc
from app.control.switching import Switch
from app.control.trips import Trips
from app.control.views import Moment, Places, claims_of, only, places_of, view_of, well_formed
from app.model.clock import SECOND_NS, to_datetime
from app.model.control import COMMAND_ROLES, RANKS, Clip, Mode, Rank, Running
from app.model.station import Point, Station
from app.model.text import Text

OPERATOR: Final = "operator"
POLICY: Final = "policy"
_TINY: Final = 1e-6
_FAR: Final = 1e9
_AUTO, _MANUAL, _OFF = range(3)
_MODES: Final = {Mode.AUTO: _AUTO, Mode.MANUAL: _MANUAL, Mode.OFF: _OFF}

_log = logging.getLogger("gridroom.control")


@dataclass(slots=True)
class Runner:
    """A strategy that runs: what it remembers, and what it wished last."""

    bound: Bound
    places: Places
    state: Any
    pairing: Pairing
    wish: Wish | None = None
    last_ns: int = 0
    """Monotonic, of its last view."""
    failed: bool = False


def _remembers_alike(one: Bound, other: Bound) -> bool:
    alike = type(one.strategy) is type(other.strategy) and one.meter == other.meter
    return alike and bool(one.strategy.memory() == other.strategy.memory())


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim and whose it is."""

    who: str
    """Id of the strategy, `operator` or `policy`."""
    reason: str
    why: Text
    live: bool
    claim: Claim


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a cycle comes to; columns of the fleet's length."""

    claims: tuple[Claimed, ...]
    """Live ones and those in shadow."""
    verdict: Verdict
    live: tuple[Claimed, ...]
    """What the verdict's `holder` and `clipper` count in."""
    bounds: Bounds
    inputs: Inputs
    requested: Floats
    allowed: Floats
    """NaN where nothing is to be sent."""
    clip: Codes
    urgent: NDArray[np.bool_]
    """It leads to safety: it is sent before its row is written."""
    blocked: NDArray[np.bool_]
    """Nothing may be sent: a tag, a device in local, a station that only reads."""
    meter_kw: float
    """Of the grid meter, import positive; NaN where it may not be used."""
    switches: tuple[Switch, ...] = ()
    """What live strategies want started and stopped; of several that speak of one device the highest rank's."""

    def holder(self, i: int) -> str:
        """Who set the target of a channel."""
        at = int(self.verdict.holder[i])
        return self.live[at].who if at >= 0 else ""

    def key(self, i: int) -> tuple[str, str, str]:
        """Who, why and the clip's reason: a change of it opens a row of the ledger."""
        at = int(self.verdict.holder[i])
        who, reason = (self.live[at].who, self.live[at].reason) if at >= 0 else ("", "")
        return who, reason, CLIPS[int(self.clip[i])].value


class Controller:
    """Of one station's configuration. Every method on the engine's loop."""

    def __init__(
        self, station: Station, strategies: Sequence[Bound], standing: Standing, *, at_one_moment: bool = False
    ) -> None:
        """`at_one_moment`: everything on the table always is of one, as in a backtest."""
        self.station, self._at_one_moment = station, at_one_moment
        self.fleet = Fleet(station)
        self.standing = standing
        self.runners = [self._runner(one) for one in strategies]
        self._reader = Reader(self.fleet)
        self._protection = DeviceProtection(self.fleet, self._reader)
        self.trips = Trips(self.fleet, self._reader)
        self._gates = [(one, Pairing(self.fleet, one.row, one.gate.channel)) for one in gates_of(station, self.fleet)]
        for gate, _ in self._gates:
            self._reader.need(np.concatenate([gate.row, gate.kvar]))
        for rows in (row for one in self.runners for row in (one.places.meter, one.places.points)):
            self._reader.need(rows)
        meter = station.by_id.get(station.grid_meter or "")
        point = meter.role("active_power") if meter is not None else None
        self._meter = np.array([NOWHERE if point is None else point.index], np.int64)
        self.meter_name = point.name if point is not None else None
        """Of the grid meter's power."""
        self._reader.need(self._meter)
        for one in self.runners:
            for id_ in one.bound.strategy.switches():
                point = station.by_id[id_].role("active_power")
                self._reader.need(np.array([NOWHERE if point is None else point.index], np.int64))
        self._remotes = {
            one.id: np.array([point.index], np.int64) for one in station.devices if (point := one.role("remote"))
        }
        self._interlocks = {
            one.id: np.array([station.by_name[one.beside(name)] for name in one.control.interlocks], np.int64)
            for one in station.devices if one.control.interlocks
        }  # fmt: skip
        for rows in (*self._remotes.values(), *self._interlocks.values()):
            self._reader.need(rows)
        self.commanded = tuple(
            one.id for one in station.devices
            if one.id not in self.fleet.by_device and one.driver is not None and any(map(one.role, COMMAND_ROLES))
        )  # fmt: skip
        """Devices with commands and no setpoint."""
        powers = [point.index for id_ in self.commanded if (point := station.by_id[id_].role("active_power"))]
        self._reader.need(np.array(powers, np.int64))
        self.switched = frozenset(id_ for one in strategies for id_ in one.strategy.switches())
        """Devices that strategies start and stop."""
        self._policy = Policy(self.fleet)
        self.stuck_soc, self.hunting, self._dwell = StuckSoc(self.fleet), Hunting(self.fleet), Dwell(self.fleet)
        self.full_charge = FullCharge(self.fleet)
        self.is_to_be_kept = False
        """What stands has changed by itself, and belongs on the disk."""
        n = len(self.fleet)
        self.last: Floats = np.full(n, np.nan)
        self._last_ns = 0
        self._rest = np.where(self.fleet.is_cap, self.fleet.high, 0.0)
        self._devices = [one.device.id for one in self.fleet.channels]
        self._steadies = bool((self.fleet.minimum_change > 0).any())
        self._all_auto, self._none = np.zeros(n, np.int8), np.zeros(n, np.bool_)

    def _runner(self, bound: Bound) -> Runner:
        places = places_of(self.station, self.fleet, bound)
        pairing = Pairing(self.fleet, places.meter[:1], places.storage)
        return Runner(bound, places, bound.strategy.begin(), pairing)

    def follow(self, before: Controller) -> None:
        """Go on where another controller of this station stood: what was allowed, what is old, what is timed; by the
        names of setpoints and points."""
        at = self.fleet.positions_in(before.fleet)
        self.last = carried(before.last, at, np.nan)
        self._last_ns, self.standing = before._last_ns, before.standing
        self._reader.follow(before._reader)
        self._policy.follow(before._policy, at)
        self.stuck_soc.follow(before.stuck_soc, at)
        self.hunting.follow(before.hunting, at)
        self._dwell.follow(before._dwell, at)
        self.trips.follow(before.trips)
        states = {one.bound.id: one for one in before.runners}
        for runner in self.runners:
            old = states.get(runner.bound.id)
            if old is not None and _remembers_alike(old.bound, runner.bound):
                runner.state, runner.last_ns = old.state, old.last_ns

    def watched(self) -> NDArray[np.bool_]:
        """bool[points]: whose change is a reason for a cycle."""
        mask = np.zeros(len(self.station.points), np.bool_)
        mask[self.fleet.inputs] = True
        for runner in self.runners:
            for rows in (runner.places.meter, runner.places.points):
                mask[rows[rows >= 0]] = True
        for gate, _ in self._gates:
            mask[gate.row] = True
        return mask

    def held(self, setpoint: Point) -> float:
        """What a device said at the last cycle that its setpoint is; NaN where that may not be used."""
        i = self.fleet.position.get(setpoint.name)
        return math.nan if i is None else float(self._reader.good(self.fleet.setpoint[i : i + 1])[0])

    def remote(self, device: str) -> float:
        """Whether a device said at the last cycle that it may be commanded from here: 0 where not, NaN where that may
        not be used; 1 of one that has no such point."""
        rows = self._remotes.get(device)
        return 1.0 if rows is None else float(self._reader.good(rows)[0])

    def interlocks_hold(self, device: str) -> bool:
        """Whether at the last cycle every interlock of a device was usable and not 0."""
        rows = self._interlocks.get(device)
        return rows is None or bool((or_else(self._reader.good(rows), 0.0) != 0).all())

    def running(self, bound: Bound) -> Running:
        """As its file says, or as a person has decided."""
        return self.standing.running.get(bound.id, bound.running)

    def cycle(self, table: Table, now_ns: int, monotonic_ns: int, pending: NDArray[np.bool_] | None = None) -> Outcome:
        """What is to be set now; `pending` bool[n] what the last cycle has set and no device has taken yet.

        Raises nothing: a strategy that fails is named and counts as without sound inputs.
        """
        dt_s = (monotonic_ns - self._last_ns) / SECOND_NS if self._last_ns else 0.0
        self._last_ns = monotonic_ns
        self._reader.look(table, monotonic_ns)
        inputs = self._reader.read()
        self.stuck_soc.watch(inputs, dt_s, self.standing)
        self.trips.watch(monotonic_ns, self.standing)
        self.is_to_be_kept |= self.full_charge.look(inputs, now_ns, self.standing)
        bounds = self._protection.bounds(inputs)
        modes = self._modes()
        blocked = self._blocked(inputs)
        local = to_datetime(now_ns).astimezone(self.station.zone)
        moment = Moment(now_ns, local, inputs, self.last, bounds.low, bounds.high, self.full_charge.age_s)
        claims, unsound = self._claims(moment, modes, blocked, monotonic_ns)
        bad = unsound | (~self.fleet.is_reactive & np.isnan(inputs.power))
        now_s = monotonic_ns / SECOND_NS
        unheard = [one.claim for one in claims if one.who == POLICY]
        is_used = bool(unheard) or bool(bad.any())
        policy = self._policy.values(bad, self.last, now_s, dt_s) if is_used else self._policy.idle()
        for claim in unheard:
            claim.target[:] = policy[claim.channel]
        live = tuple(one for one in claims if one.live)
        verdict = arbitrate([one.claim for one in live], self._rest)
        awaited = self._none if pending is None else pending
        allowed, clip, urgent = self._protect(verdict, bounds, inputs, dt_s, now_s, modes, policy, blocked, awaited)
        allowed[blocked] = np.nan
        self.hunting.look(allowed, modes == _AUTO, now_s)
        self._dwell.note(allowed, now_s)
        self.last = np.where(np.isfinite(allowed), allowed, np.where(blocked, np.nan, self.last))
        meter_kw = float(self._reader.good(self._meter)[0])
        return Outcome(
            tuple(claims), verdict, live, bounds, inputs, verdict.requested, allowed, clip, urgent, blocked, meter_kw,
            self._switches(),
        )  # fmt: skip

    def _switches(self) -> tuple[Switch, ...]:
        found: dict[str, tuple[int, Switch]] = {}
        for runner in self.runners:
            wish, bound = runner.wish, runner.bound
            if wish is None or not wish.switch or not wish.sound or self.running(bound) is not Running.LIVE:
                continue
            rank, allowed = RANKS.index(bound.rank), bound.strategy.switches()
            for device, on in wish.switch.items():
                if device in allowed and rank < found.get(device, (len(RANKS), None))[0]:
                    found[device] = rank, Switch(device, bool(on), bound.id, wish.why)
        return tuple(one for _, one in found.values())

    def powers(self, devices: Iterable[str]) -> dict[str, float]:
        """kW that these devices give, NaN where it may not be used."""
        rows = {id_: self.station.by_id[id_].role("active_power") for id_ in devices}
        return {
            id_: float(self._reader.good(np.array([NOWHERE if point is None else point.index], np.int64))[0])
            for id_, point in rows.items()
        }

    # ----------------------------------------------------------------------------------------------- who asks what

    def _claims(
        self, moment: Moment, modes: NDArray[np.int8], blocked: NDArray[np.bool_], monotonic_ns: int
    ) -> tuple[list[Claimed], NDArray[np.bool_]]:
        """Of all strategies and people; and which channels are bound by one whose inputs are not sound."""
        found: list[Claimed] = []
        unsound = np.zeros(len(self.fleet), np.bool_)
        auto, manual = modes == _AUTO, modes == _MANUAL
        both, able = auto | manual, ~(blocked | self._those(self.standing.trips))
        free = auto & able
        # The same columns are looked up once a cycle, by their identity.
        free_both = both & able if manual.any() else free
        for runner in self.runners:
            how = self.running(runner.bound)
            if how is Running.OFF:
                runner.state, runner.wish, runner.last_ns = runner.bound.strategy.begin(), None, 0
                continue
            bound = runner.bound
            by_all = bound.strategy.is_limit or bound.rank in (Rank.PROTECTION, Rank.GRID)
            binds = both if by_all else auto
            wish = self._decide(runner, moment, free_both if by_all else free, monotonic_ns)
            who, live = bound.id, how is Running.LIVE
            claims = claims_of(wish, bound.rank, runner.places)
            if not wish.sound:
                at = runner.places.sets
                m = len(at)
                claims = [Claim(bound.rank, at, column(m, -np.inf), column(m, np.inf), np.full(m, np.nan))]
                if live:
                    unsound[at] |= auto[at]
                who, binds = POLICY, auto
            found += [Claimed(who, wish.reason, wish.why, live, only(claim, binds)) for claim in claims]
        found += self._by_hand(manual)
        found += self._by_order(auto)
        return found, unsound

    def _decide(self, runner: Runner, moment: Moment, free: NDArray[np.bool_], monotonic_ns: int) -> Wish:
        dt_s = (monotonic_ns - runner.last_ns) / SECOND_NS if runner.last_ns else 0.0
        runner.last_ns = monotonic_ns
        try:
            view = view_of(runner.places, moment, free, self.fleet, self._reader, dt_s, self.standing.orders)
            if not self._at_one_moment:
                settled = runner.pairing.without_kw(self._reader, self.last, view.storage.power, monotonic_ns)
                view = replace(view, settled_kw=settled)
            wish, runner.state = runner.bound.strategy.decide(view, runner.state)
            if not well_formed(wish, runner.places):
                raise TypeError("what it answered is no wish for its devices")
            runner.failed = False
        except Exception as error:  # a fault in one strategy stays with its devices, and they go by their policy
            if not runner.failed:
                _log.exception("strategy %s failed; its devices go by their policy", runner.bound.id)
            runner.failed, runner.state = True, runner.bound.strategy.begin()
            what = f"{type(error).__name__}: {error}"
            wish = Wish(Text(f"it failed: {what}", f"策略出错：{what}"), sound=False)
        runner.wish = wish
        return wish

    def _by_hand(self, manual: NDArray[np.bool_]) -> list[Claimed]:
        """What people have set, of the devices in manual; before they set anything, what was allowed last stays.

        A channel that nobody has set at all is left alone: nothing jumps.
        """
        found = []
        for i in np.flatnonzero(manual).tolist():
            given = self.standing.manual.get(self.fleet.channels[i].point.name)
            target = given.value if given is not None else float(self.last[i])
            if not np.isfinite(target):
                continue
            claim = Claim(Rank.OPERATOR, np.array([i]), np.array([-np.inf]), np.array([np.inf]), np.array([target]))
            why = Text.of(given.why) if given is not None and given.why else Text("in manual", "手动")
            reason = f"set by {given.who}, {given.id}" if given is not None else "kept"
            found.append(Claimed(OPERATOR, reason, why, True, claim))
        return found

    def _by_order(self, auto: NDArray[np.bool_]) -> list[Claimed]:
        """What dispatch centres have ordered of setpoints: of an inverter's limit the most, of all else a target."""
        found = []
        for name, given in self.standing.orders.items():
            i = self.fleet.position.get(name)
            if i is None or not auto[i] or not np.isfinite(given.value):
                continue
            most, target = (given.value, np.nan) if self.fleet.is_cap[i] else (np.inf, given.value)
            claim = Claim(Rank.GRID, np.array([i]), np.array([-np.inf]), np.array([most]), np.array([target]))
            why = Text(f"ordered by dispatch centre {given.who}", f"调度主站 {given.who} 下令")
            found.append(Claimed(given.who, f"ordered, {given.id}", why, True, claim))
        return found

    # ------------------------------------------------------------------------------------------------- what may be

    def _modes(self) -> NDArray[np.int8]:
        """int8[n]."""
        standing = self.standing
        if standing.mode is Mode.AUTO and not standing.modes:
            return self._all_auto
        return np.array([_MODES[standing.mode_of(device)] for device in self._devices], np.int8)

    def _those(self, devices: Collection[str]) -> NDArray[np.bool_]:
        """bool[n]: the channels of these devices."""
        if not devices:
            return self._none
        return np.array([device in devices for device in self._devices], np.bool_)

    def _blocked(self, inputs: Inputs) -> NDArray[np.bool_]:
        """Nothing at all is sent: a tag, a device in local, a station that only reads."""
        return self._those(self.standing.tags) | ~inputs.remote | np.bool_(self.station.read_only)

    def _protect(
        self, verdict: Verdict, bounds: Bounds, inputs: Inputs, dt_s: float, now_s: float,
        modes: NDArray[np.int8], policy: Floats, blocked: NDArray[np.bool_], pending: NDArray[np.bool_],
    ) -> tuple[Floats, Codes, NDArray[np.bool_]]:  # fmt: skip
        fleet, standing = self.fleet, self.standing
        value = clamp(
            verdict.value, -_FAR, _FAR
        )  # what somebody asks may be infinite, and no difference of it is a number
        by_rank = coded(verdict.clipper >= 0, Clip.RANK)
        blind = ~fleet.is_reactive & np.isnan(inputs.power) & np.isfinite(value)
        value = np.where(blind, policy, value)
        off = (modes == _OFF) | np.isnan(value)
        # Whom nobody sets any more is led to its safe power first, until it has taken it: it may have no timer.
        leaving = off & np.isfinite(self.last) & ((np.abs(self.last - fleet.safe) > _TINY) | pending)
        value = np.where(off, np.where(leaving, fleet.safe, np.nan), value)
        # A limit that limits nothing is not written where none was before: writes may wear out what an inverter keeps.
        full = fleet.is_cap & (value >= fleet.safe - _TINY) & ~(self.last < fleet.safe - _TINY) & ~pending
        value = np.where(full, np.nan, value)
        flows = np.where(fleet.is_cap, fleet.safe, inputs.power)
        value, dwells = self._dwell.hold(value, self.last, blind | off, modes == _MANUAL, now_s)
        value = np.where(dwells & (value != 0.0), clamp(value, verdict.firm_low, verdict.firm_high), value)
        value, by_ramp = ramped(value, self.last, flows, self.hunting.rates(fleet.ramp_per_s), dt_s)
        damped = coded((by_ramp != 0) & self.hunting.hunts, Clip.OSCILLATION)
        value, by_bounds = bounds.clip(value)
        codes = [by_rank, coded(blind, Clip.BAD_INPUT), coded(leaving, Clip.OFF), coded(dwells, Clip.MINIMUM_TIME),
                 by_ramp, damped, by_bounds]  # fmt: skip
        value = self._steady(value, bounds, verdict)
        tripped = self._those(standing.trips)
        if standing.trips:
            value = np.where(tripped, bounds.clip(np.where(fleet.is_active, fleet.safe, 0.0))[0], value)
        value = np.where(blocked, np.nan, value)  # no gate may count on what nobody does
        gated = self._none
        for one, pairing in self._gates:
            gate, drawn = self._now(one, pairing, inputs)
            value, by_gate = within_gate(gate, drawn, inputs.power, value, self.last)
            codes.append(by_gate)
            gated = gated | (by_gate != 0)
        value = np.where(gated & (np.abs(value) < fleet.dead_zone), 0.0, value)
        value, _ = bounds.clip(value)  # whatever was done above, no bound is passed
        if standing.trips:
            codes.append(coded(tripped, Clip.TRIP))
        if standing.stopped:
            value = np.zeros(len(fleet))
            codes.append(coded(np.ones(len(fleet), np.bool_), Clip.STOP))
        return value, first_of(codes), tripped | np.bool_(standing.stopped)

    def _now(self, one: Metered, pairing: Pairing, inputs: Inputs) -> tuple[Gate, float]:
        """A gate, and what is drawn through it, of meter and powers that belong to one moment."""
        gate, drawn = one.now(self._reader)
        if self._at_one_moment:
            return gate, drawn
        power = inputs.power[gate.channel]
        base = pairing.without_kw(self._reader, self.last, power, self._last_ns)
        return gate, math.nan if math.isnan(drawn) else base - float(power.sum(where=known(power)))

    def _steady(self, value: Floats, bounds: Bounds, verdict: Verdict) -> Floats:
        """Nothing within the dead zone; no change smaller than the device's least, while what was set may stay: it is
        within bounds and what the grid allows."""
        value = np.where(np.abs(value) < self.fleet.dead_zone, 0.0, value)
        last, least = self.last, self.fleet.minimum_change
        if not self._steadies:
            return value
        kept = clamp(bounds.clip(last)[0], verdict.firm_low, verdict.firm_high)
        stays = (least > 0) & (np.abs(value - last) < least) & (np.abs(kept - last) <= _TINY) & (value != 0.0)
        return np.where(stays, last, value)
