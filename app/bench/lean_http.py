"""A web server so lean that it does not stand in the way of what is measured against it.

    python -m app.bench.lean_http --devices 10 --points 100

Prints its port on 127.0.0.1 as one line of JSON. `/d0`, `/d1`, ... each answer `{"t": ms, "p": [...]}`: the moment of
the answer, and numbers that change every second. Ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time

import numpy as np
from aiohttp import web


async def serve(devices: int, points: int) -> None:
    """Serve until standard input closes."""

    async def answer(request: web.Request) -> web.Response:
        now_ms = time.time_ns() // 1_000_000
        values = np.arange(points) + int(request.match_info["device"]) + now_ms // 1000 % 60 / 100
        return web.json_response({"t": now_ms, "p": values.round(2).tolist()})

    application = web.Application()
    application.router.add_get(f"/d{{device:[0-9]{{1,{len(str(devices))}}}}}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps(runner.addresses[0][1]), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m app.bench.lean_http")
    parser.add_argument("--devices", type=int, default=10)
    parser.add_argument("--points", type=int, default=100, help="numbers in each answer")
    options = parser.parse_args()
    asyncio.run(serve(options.devices, options.points))


if __name__ == "__main__":
    main()
