"""Who may send: signatures, the window of time, and that a message comes once."""

from __future__ import annotations

import hashlib
import hmac
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.clock import ManualClock
from drivers.http.hooks import DeviceHook
from drivers.http.server import MOST_SENDERS, Rate
from drivers.http.signature import Guard, Verdict, sign
from tests.support.devices import device, point
from tests.support.fuzzing import a_million, spoilt

SECRET = b"a shared secret"
NOW_S = 1_764_000_000
NOW = NOW_S * 10**9


def guard(*, per_minute: int = 600) -> Guard:
    return Guard(SECRET, window_s=60, per_minute=per_minute, now_ns=NOW - 10**12)


def judged(one: Guard, body: bytes, *, at_s: int = NOW_S, now: int = NOW, secret: bytes = SECRET) -> Verdict:
    return one.judge(str(at_s), sign(secret, str(at_s), body), body, now)


def test_the_signature_is_what_the_document_says() -> None:
    expected = hmac.new(SECRET, b'1764000000.{"p": 1}', hashlib.sha256).hexdigest()
    assert sign(SECRET, "1764000000", b'{"p": 1}') == f"sha256={expected}"


def test_a_message_is_taken_once() -> None:
    one = guard()
    assert judged(one, b"{}") is Verdict.TAKE
    assert judged(one, b"{}") is Verdict.REPLAYED
    assert judged(one, b"{}", at_s=NOW_S + 1) is Verdict.TAKE
    assert judged(one, b"[]") is Verdict.TAKE


def test_nothing_is_taken_from_outside_the_window_or_before_the_start() -> None:
    one = Guard(SECRET, window_s=60, per_minute=600, now_ns=NOW - 30 * 10**9)
    assert judged(one, b"a", at_s=NOW_S - 31) is Verdict.OUTSIDE
    assert judged(one, b"a", at_s=NOW_S - 30) is Verdict.TAKE
    assert judged(one, b"a", at_s=NOW_S + 61) is Verdict.OUTSIDE
    assert judged(one, b"a", at_s=NOW_S + 60) is Verdict.TAKE


def test_a_message_signed_ahead_cannot_come_again_while_it_would_be_taken() -> None:
    one = guard()
    assert judged(one, b"a", at_s=NOW_S + 60) is Verdict.TAKE
    for later_s in range(0, 121, 10):
        assert judged(one, b"a", at_s=NOW_S + 60, now=NOW + later_s * 10**9) is Verdict.REPLAYED
    assert judged(one, b"a", at_s=NOW_S + 60, now=NOW + 121 * 10**9) is Verdict.OUTSIDE


@given(st.binary(max_size=40), st.integers(0, 63), st.booleans())
def test_another_secret_body_time_or_signature_is_not_taken(body: bytes, place: int, of_body: bool) -> None:
    one, stamp = guard(), str(NOW_S)
    signature = sign(SECRET, stamp, body)
    changed = list(signature)
    changed[7 + place] = "0" if changed[7 + place] != "0" else "1"
    assert one.judge(stamp, "".join(changed), body, NOW) is Verdict.WRONG
    assert one.judge(str(NOW_S + 1), signature, body, NOW) is Verdict.WRONG
    assert one.judge(stamp, signature, body + b" ", NOW) is Verdict.WRONG
    assert one.judge(stamp, sign(b"another", stamp, body), body, NOW) is Verdict.WRONG
    # The point between time and body: a digit cannot move from one to the other.
    assert one.judge(stamp[:-1], signature, stamp[-1:].encode() + b"." + body, NOW) is not Verdict.TAKE
    assert len(one) == 0


@given(st.text(max_size=20), st.text(max_size=20))
def test_headers_of_any_kind_are_judged(timestamp: str, signature: str) -> None:
    assert guard().judge(timestamp, signature, b"{}", NOW) is not Verdict.TAKE
    assert guard().judge(str(NOW_S), "sha256=" + signature, b"{}", NOW) in (Verdict.WRONG, Verdict.UNSIGNED)


def test_what_is_remembered_is_bounded_and_forgotten_in_time() -> None:
    one = guard(per_minute=5)
    assert [judged(one, b"%d" % i) for i in range(11)] == [Verdict.TAKE] * 10 + [Verdict.TOO_MANY]
    assert judged(one, b"0") is Verdict.REPLAYED  # nothing was forgotten to make room
    later_s = 121
    assert judged(one, b"0", at_s=NOW_S + later_s, now=NOW + later_s * 10**9) is Verdict.TAKE
    assert len(one) == 1


def test_a_sender_that_comes_too_often_is_turned_away_and_delays_no_other() -> None:
    clock, rate = ManualClock(), Rate(per_minute=60)
    assert [rate.admits("a", clock.monotonic_ns()) for _ in range(12)] == [True] * 11 + [False]
    assert rate.admits("b", clock.monotonic_ns())
    clock.advance(1)
    assert [rate.admits("a", clock.monotonic_ns()) for _ in range(2)] == [True, False]
    for sender in range(2 * MOST_SENDERS):
        rate.admits(str(sender), clock.monotonic_ns())
    assert len(rate._next_ns) == MOST_SENDERS


def fuzz(count: int, random: Random) -> None:
    """Messages to a hook: taken where they are signed and new, and answered with a reason otherwise."""
    clock, taken = ManualClock(), 0
    meter = device("m", {"webhook": "/m", "secret": "env:NOBODYS"}, [point("p", {"path": "$.p"})])
    hook = DeviceHook(meter, clock)
    hook._guard = Guard(SECRET, window_s=300, per_minute=600, now_ns=clock.now_ns())
    hook._deliver = lambda updates: None
    for number in range(count):
        clock.advance(0.2)
        now_s = clock.now_ns() // 10**9
        body = spoilt(random, b'{"p": %d, "q": [1, {"a": null}]}' % number)
        stamp = str(now_s + random.choice((0, 0, 0, 1, -400, 10**12)))
        signature = sign(SECRET, stamp, body)
        if random.random() < 0.3:
            signature = spoilt(random, signature.encode()).decode("latin-1")
        if random.random() < 0.2:
            stamp = spoilt(random, stamp.encode()).decode("latin-1")
        status, why = hook.receive(stamp, signature, body, random.choice(("", "utf-8", "gb2312", "no such", "utf-16")))
        assert why or status == 204
        assert status in (204, 400, 401, 429)
        taken += status == 204
        assert len(hook._guard) < 5_000
    assert taken > count / 20


def test_any_message_is_taken_or_answered_with_a_reason() -> None:
    fuzz(5_000, Random(1))


@pytest.mark.slow
def test_a_million_messages() -> None:
    a_million(fuzz)
