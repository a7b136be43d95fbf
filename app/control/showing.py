"""What the screen is answered: every channel with who acts on it, and every strategy with what it does."""

from __future__ import annotations

import math

import numpy as np

from app.control.controller import Controller, Outcome
from app.control.dispatcher import Dispatcher
from app.control.judging import LOCAL, UNKNOWN_PLACE
from app.control.protection import CLIPS
from app.model.control import ChannelRow, CommandedRow, ControlState, StrategyRow, Wanted
from app.model.text import Text


def state_of(controller: Controller, dispatcher: Dispatcher, outcome: Outcome | None) -> ControlState:
    """Of the last cycle. Any thread: an outcome is never changed once it is there."""
    standing = controller.standing
    strategies = tuple(
        StrategyRow(
            one.bound.id, one.bound.strategy.kind, one.bound.name, controller.running(one.bound), one.bound.rank,
            one.bound.devices, dict(one.bound.params), one.wish.why if one.wish else Text("off", "退出"),
            one.wish is None or one.wish.sound, one.bound.template,
        )
        for one in controller.runners
    )  # fmt: skip
    channels = tuple(_channel(controller, dispatcher, outcome, i) for i in range(len(controller.fleet)))
    return ControlState(
        standing.mode, standing.stopped, strategies, channels, dict(standing.modes), dict(standing.tags),
        dict(standing.trips), tuple(_commanded(controller, id_) for id_ in controller.commanded),
    )  # fmt: skip


def _commanded(controller: Controller, device: str) -> CommandedRow:
    mode = controller.standing.mode_of(device) if device in controller.switched else None
    return CommandedRow(
        device, mode, controller.powers([device])[device], not controller.interlocks_hold(device),
        _blocked(controller, device, controller.remote(device)),
    )  # fmt: skip


def _channel(controller: Controller, dispatcher: Dispatcher, outcome: Outcome | None, i: int) -> ChannelRow:
    one, standing = controller.fleet.channels[i], controller.standing
    nan = math.nan
    wanted = tuple(_wanted(outcome, i)) if outcome is not None else ()
    return ChannelRow(
        one.device.id, one.quantity, one.point.name, standing.mode_of(one.device.id), wanted,
        outcome.holder(i) if outcome is not None else "",
        float(outcome.requested[i]) if outcome is not None else nan,
        float(outcome.allowed[i]) if outcome is not None else nan,
        CLIPS[int(outcome.clip[i])] if outcome is not None else CLIPS[0],
        float(dispatcher.sent[i]), int(dispatcher.sent_at[i]), float(dispatcher.held[i]),
        float(outcome.inputs.power[i]) if outcome is not None else nan,
        float(outcome.bounds.low[i]) if outcome is not None else nan,
        float(outcome.bounds.high[i]) if outcome is not None else nan,
        _blocked(controller, one.device.id, controller.remote(one.device.id) if outcome is not None else 1.0),
        one.device.control.expiry is not None,
    )  # fmt: skip


def _wanted(outcome: Outcome, i: int) -> list[Wanted]:
    found = []
    for one in outcome.claims:
        at = np.flatnonzero(one.claim.channel == i)
        if len(at):
            k = int(at[0])
            found.append(Wanted(one.who, one.claim.rank, float(one.claim.low[k]), float(one.claim.high[k]),
                                float(one.claim.target[k]), one.live, one.why))  # fmt: skip
    order = list(type(found[0].rank)) if found else []
    return sorted(found, key=lambda one: order.index(one.rank))


def _blocked(controller: Controller, device: str, remote: float) -> Text | None:
    standing = controller.standing
    if controller.station.read_only:
        return Text("the station is read-only", "本站为只读")
    if device in standing.tags:
        return Text(f"tagged: {standing.tags[device]}", f"已挂牌：{standing.tags[device]}")
    if device in standing.trips:
        why = standing.trips[device]
        return Text(f"tripped: {why.en}", f"已跳闸：{why.zh}")
    if math.isnan(remote):
        return UNKNOWN_PLACE
    if remote == 0:
        return LOCAL
    return None
