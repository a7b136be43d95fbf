"""DL/T 645-2007: Chinese electricity meters, on a serial line or behind a transparent TCP gateway.

    frames       bytes around data: 68 … 68 C L DATA CS 16
    values       data to numbers and texts: BCD, times, binary words
    identifiers  what stands behind a data identifier (DI), from annex A
    address      the `address` of a point          connection  the `connection` of a meter
    requests     what is asked, and its answer     wire        one open connection
    line         turns, gaps, following frames     polling     a prepared read
    link, driver the contract of `drivers.contract`

`frames`, `values`, `identifiers` and `address` do no I/O and need no library.
"""

from __future__ import annotations

from drivers.contract import Driver


def dlt645() -> Driver:
    """DL/T 645-2007."""
    from drivers.dlt645.driver import Dlt645Driver

    return Dlt645Driver()
