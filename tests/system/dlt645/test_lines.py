"""What good meters never do, and several of them on one line. Against meters of ours, over TCP and serial."""

from __future__ import annotations

import asyncio

import pytest

from app.model import quality as q
from app.model.clock import ManualClock
from app.model.errors import ProtocolError, TransportError
from app.model.text import Text
from drivers.dlt645.polling import RETRY_REFUSED_NS
from tests.support import meters as faults
from tests.support.devices import point
from tests.system.dlt645.conftest import KINDS, POINTS, VALUES, A, B, Open, Serve

pytestmark = [pytest.mark.asyncio, pytest.mark.parametrize("kind", KINDS)]

P_KW = 0x02030000


async def test_meters_of_one_line_are_read_each_by_itself(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    field.meters.items[B][P_KW] = bytes.fromhex("000001")
    devices = [field.device(A), field.device(B)]
    link = open_link(*devices)
    first, second = await asyncio.gather(*(link.read(link.plan(device, device.points)) for device in devices))
    assert first.value.tolist() == VALUES
    assert second.value.tolist() == [1.0, *VALUES[1:]]
    assert field.meters.connections == (0 if kind == "serial" else 1)


@pytest.mark.parametrize("preamble", [0, 1, 4])
async def test_answers_may_have_any_preamble(kind: str, preamble: int, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    field.meters.preamble = b"\xfe" * preamble
    device = field.device(A)
    link = open_link(device)
    assert (await link.read(link.plan(device, device.points))).value.tolist() == VALUES


async def test_a_silent_meter_costs_the_others_one_time_out(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    del field.meters.items[B]
    living, dead = field.device(A), field.device(B)
    link = open_link(living, dead)
    plan, dead_plan = link.plan(living, living.points), link.plan(dead, dead.points)
    for _ in range(3):
        field.meters.requests.clear()
        lost, updates = await asyncio.gather(link.read(dead_plan), link.read(plan), return_exceptions=True)
        assert isinstance(lost, TransportError)
        assert lost.device == f"m{B}"
        assert f"meter {B}" in str(lost)
        assert not isinstance(updates, BaseException)
        assert updates.value.tolist() == VALUES
        assert [address for address, *_ in field.meters.requests].count(B) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (faults.garbage, "no frame"),
        (faults.bad_checksum, "no frame|unfinished"),
        (faults.half, "unfinished frame"),
        (faults.instead(faults.frame(B, 0x91, bytes.fromhex("00000302563412"))), f"by meter {B}"),
        (faults.instead(faults.frame(A, 0x91, bytes.fromhex("000001020522"))), "with di 02010000 instead of di 02030000"),
        (faults.instead(faults.frame(A, 0x94, b"")), "control code 94H instead of 91H"),
        (faults.instead(faults.frame(A, 0x11, bytes.fromhex("00000302"))), "another master"),
        (faults.instead(faults.frame(A, 0xD1, b"")), "without its reason"),
    ],
)  # fmt: skip
async def test_what_is_no_answer_is_said_and_the_next_read_is_sound(
    kind: str, fault: faults.Fault, words: str, serve: Serve, open_link: Open
) -> None:
    field = await serve(kind)
    device = field.device(A)
    link = open_link(device)
    plan = link.plan(device, device.points)
    field.meters.faults[A].append(fault)
    with pytest.raises(ProtocolError, match=words) as raised:
        await link.read(plan)
    assert raised.value.device == f"m{A}"
    assert (await link.read(plan)).value.tolist() == VALUES


ECHO = faults.frame(A, 0x11, bytes.fromhex("00000302"))


@pytest.mark.parametrize("fault", [faults.noise_before, faults.torn, faults.preceded_by(ECHO),
                                   faults.preceded_by(faults.frame(B, 0x91, bytes.fromhex("00000302999999")))])  # fmt: skip
async def test_an_answer_is_found_behind_noise_in_pieces_and_between_others(
    kind: str, fault: faults.Fault, serve: Serve, open_link: Open
) -> None:
    field = await serve(kind)
    device = field.device(A)
    link = open_link(device)
    field.meters.always[A] = fault
    assert (await link.read(link.plan(device, device.points))).value.tolist() == VALUES


async def test_a_late_answer_is_not_taken_for_the_next_one(kind: str, serve: Serve, open_link: Open) -> None:
    """The answer about power comes while the voltage is asked for."""
    field = await serve(kind)
    device = field.device(A)
    link = open_link(device)
    power, rest = link.plan(device, device.points[:1]), link.plan(device, device.points[1:])
    field.meters.faults[A].append(faults.late(0.25))
    with pytest.raises(TransportError):
        await link.read(power)
    assert (await link.read(rest)).value.tolist() == VALUES[1:]
    assert (await link.read(power)).value.tolist() == VALUES[:1]


async def test_a_late_refusal_is_not_taken_for_the_next_answer(kind: str, serve: Serve, open_link: Open) -> None:
    """A refusal does not say what it refuses: the next request is made again before its refusal is believed."""
    field = await serve(kind)
    device = field.device(A)
    link = open_link(device)
    power, rest = link.plan(device, device.points[:1]), link.plan(device, device.points[1:])
    del field.meters.items[A][P_KW]
    field.meters.faults[A].append(faults.late(0.25))
    with pytest.raises(TransportError):
        await link.read(power)
    updates = await link.read(rest)
    assert updates.value.tolist() == VALUES[1:]
    assert link.remarks(device) == {}


async def test_a_true_refusal_after_a_lost_answer_is_believed(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    device = field.device(A)
    link = open_link(device)
    plan = link.plan(device, device.points)
    del field.meters.items[A][0x02010100]
    field.meters.faults[A].append(faults.silent)
    with pytest.raises(TransportError):
        await link.read(plan)
    updates = await link.read(plan)
    assert updates.quality.tolist() == [q.GOOD, q.IV, q.GOOD]
    assert link.remarks(device) == {f"m{A}.u_v": Text("error 02H, no such data", "错误信息字 02H，无请求数据")}


async def test_what_a_meter_refuses_is_left_out_and_tried_again_later(
    kind: str, serve: Serve, open_link: Open, clock: ManualClock
) -> None:
    field = await serve(kind)
    device = field.device(A)
    link = open_link(device)
    plan = link.plan(device, device.points)
    held = field.meters.items[A].pop(P_KW)
    await link.read(plan)
    field.meters.requests.clear()
    assert (await link.read(plan)).quality.tolist() == [q.IV, q.GOOD, q.GOOD]
    assert P_KW not in field.meters.asked
    field.meters.items[A][P_KW] = held
    clock.advance(RETRY_REFUSED_NS / 1e9 + 1)
    assert (await link.read(plan)).value.tolist() == VALUES
    assert link.remarks(device) == {}


async def test_passing_trouble_is_asked_for_at_every_read(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    device = field.device(A)
    link = open_link(device)
    plan = link.plan(device, device.points)
    field.meters.errors[A, P_KW] = 0x01
    assert (await link.read(plan)).quality.tolist() == [q.IV, q.GOOD, q.GOOD]
    assert link.remarks(device) == {f"m{A}.p_kw": Text("error 01H, other error", "错误信息字 01H，其他错误")}
    assert (await link.read(plan)).quality.tolist() == [q.IV, q.GOOD, q.GOOD]
    field.meters.errors.clear()
    assert (await link.read(plan)).value.tolist() == VALUES
    assert link.remarks(device) == {}


async def test_a_meter_that_refuses_everything_is_there(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    field.meters.items[A].clear()
    device = field.device(A)
    link = open_link(device)
    plan = link.plan(device, device.points)
    for _ in range(3):
        assert (await link.read(plan)).quality.tolist() == [q.IV] * 3
    field.meters.requests.clear()
    await link.read(plan)
    assert len(field.meters.asked) == 1  # one is always asked for: only an answer shows that it is there


async def test_a_block_is_one_request_and_holds_what_it_holds(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    field.meters.items[A][0x0001FF00] = b"".join(bytes.fromhex(f"{n:02d}000000") for n in range(5))
    points = [point(f"e{n}", {"di": "0001FF00", "field": n}) for n in (0, 4, 5)]
    device = field.device(A, points)
    link = open_link(device)
    updates = await link.read(link.plan(device, device.points))
    assert updates.value.tolist()[:2] == [0.0, 0.04]
    assert updates.quality.tolist() == [q.GOOD, q.GOOD, q.IV]
    assert field.meters.asked == [0x0001FF00]
    assert "ends after 20 bytes" in link.remarks(device)[f"m{A}.e5"].en


async def test_a_phase_that_is_not_there_has_no_value(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    field.meters.items[A][0x0201FF00] = bytes.fromhex("0522ffffffff")
    device = field.device(A, [point(f"u{n}", {"di": "0201FF00", "field": n}) for n in range(3)])
    link = open_link(device)
    updates = await link.read(link.plan(device, device.points))
    assert updates.quality.tolist() == [q.GOOD, q.IV, q.IV]
    assert updates.value[0] == 220.5


async def test_an_answer_in_several_frames_is_joined(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    field.meters.piece = 7
    field.meters.items[A][0x0001FF00] = b"".join(bytes.fromhex(f"{n:02d}000000") for n in range(64))
    device = field.device(A, [point(f"e{n}", {"di": "0001FF00", "field": n}) for n in range(64)])
    link = open_link(device)
    updates = await link.read(link.plan(device, device.points))
    assert updates.value.tolist() == [n / 100 for n in range(64)]
    sequence = [data[4] for _, control, data in field.meters.requests if control == 0x12]
    assert sequence == list(range(1, 37))


async def test_a_frame_of_another_number_is_not_joined(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    field.meters.piece = 8
    field.meters.items[A][0x0001FF00] = bytes(20)
    device = field.device(A, [point("e", {"di": "0001FF00"})])
    link = open_link(device)
    wrong = faults.frame(A, 0x92, bytes.fromhex("00ff0100") + bytes(8) + b"\x07")
    field.meters.faults[A].extend([lambda answer: [(0, answer)], faults.instead(wrong)])
    with pytest.raises(ProtocolError, match="another frame than number 1"):
        await link.read(link.plan(device, device.points))


async def test_a_cancelled_read_leaves_the_line_usable(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    device = field.device(A)
    link = open_link(device)
    plan = link.plan(device, device.points)
    for delay_s in (0.0, 0.001, 0.01, 0.03):
        field.meters.faults[A].append(faults.late(0.02))
        task = asyncio.create_task(link.read(plan))
        await asyncio.sleep(delay_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        field.meters.faults[A].clear()
        assert (await link.read(plan)).value.tolist() == VALUES


async def test_nothing_but_reading_ever_leaves_the_program(kind: str, serve: Serve, open_link: Open) -> None:
    field = await serve(kind)
    device = field.device(A, [*POINTS, point("no", {"di": "04000402"}, kind="text")])
    field.meters.items[A][0x04000402] = bytes.fromhex("785634120000")
    link = open_link(device)
    await link.read(link.plan(device, device.points))
    assert await link.read_texts(device) == {"no": "000012345678"}
    assert field.meters.requests != [] and field.meters.writes == []
