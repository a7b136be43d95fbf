"""JSON over HTTP: polled, or received as a webhook.

    address     which value of a document a point is     connection  how a device is reached, or reaches us
    reading     documents to values                      values      what JSON may say a number, a time, a quality is
    asking      one URL, asked and judged                polling     the link that asks
    signature   who sent a message, and only once        hooks       messages of one device, judged
    server      the receiver of one host and port        receiving   the link that is told
    words       why a server is not reached              driver      the contract of `drivers.contract`

`address`, `values`, `reading` and `signature` do without aiohttp. No other module is for anybody outside.
"""

from __future__ import annotations

from drivers.contract import Driver


def http() -> Driver:
    """The one driver, for both ways."""
    # Imported here, so that the simulator may use `address` and `signature` without the client.
    from drivers.http.driver import HttpDriver

    return HttpDriver()
