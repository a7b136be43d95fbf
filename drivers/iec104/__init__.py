"""IEC 60870-5-104, as controlling station, and as controlled station for `app.northbound`.

    typeids     types of ASDU                    address      where a value lives in a station
    asdu        ASDUs to columns                 connection   how a device is reached
    apci        frames                           clock        CP56Time2a and local time
    orders      values to commands               outcomes     what becomes of a command
    lookup      addresses to points              messages     the pipe to the worker

    In our process                               In the worker's
    process     the worker, watched              worker       the pipe's other end
    session     one worker at work               controlling  two connections, one of which transfers
    attendance  what one station is asked for    relay        TLS, decoding, what may leave
    link, driver  the contract of `drivers.contract`  library  c104

    As controlled station, all of it in the worker, and without c104:
    controlled  listening, connections           transfer     windows and timers of one connection
    offered     present values, what is told     answering    what is answered to what
    outbox      what waits

`typeids`, `address`, `asdu`, `encoding`, `apci` and `clock` are without I/O, and for simulators as well; so are
`transfer`, `offered`, `answering` and `outbox`. `library` alone imports c104, which is GPL-3.0 and optional
(docs/decisions/0003, 0040 and 0045).
"""

from __future__ import annotations

from drivers.contract import Driver


def iec104() -> Driver:
    """IEC 60870-5-104."""
    from drivers.iec104.driver import Iec104Driver

    return Iec104Driver()
