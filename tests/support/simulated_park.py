"""A part of the demo park on its simulator, in a process of its own: real Modbus, real physics, faults on demand."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from app.demo import DEMO

ROOT = Path(__file__).resolve().parents[2]
BEAT = {
    "id": "beat", "name": "Heartbeat", "kind": "setpoint", "role": "heartbeat", "scan": "100ms",
    "address": {"table": "holding", "register": 64000, "type": "u16"},
}  # fmt: skip
STORAGE = ("meter1", "pcs1", "bms1", "pcs2", "bms2", "load1", "inv1", "inv2")


class SimulatedPark:
    """`folder/station.yaml` and the overlay to its simulator. Control of the converters is as a test says."""

    def __init__(
        self, folder: Path, *, strategies: Sequence[Mapping[str, Any]] = (), control: Mapping[str, Any] | None = None,
        only: Sequence[str] = STORAGE, scan: str = "100ms", start: str = "2026-06-01T12:00",
        energy_kwh: float | None = None, files: Mapping[str, str] | None = None,
        devices: Sequence[Mapping[str, Any]] = (), **station: Any,
    ) -> None:  # fmt: skip
        """`devices` stand beside those of the demo, as they are given."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.overlay = folder, folder / "overlay.yaml"
        whole = yaml.safe_load((DEMO / "station.yaml").read_text(encoding="utf-8"))
        whole["station"] |= {"id": "park", "limits": {}, **station}
        whole["devices"] = [device for device in whole["devices"] if device["id"] in only]
        whole["topology"] = [{"id": "grid", "kind": "grid"}, {"id": "bus_main", "kind": "bus", "from": "grid"}]
        for device in whole["devices"]:
            if device["kind"] != "bms":
                device["parent"] = "bus_main"
            if device["kind"] == "pcs":
                device["control"] = dict(control or {})
                if "heartbeat" in device["control"]:
                    device.setdefault("points", []).append(BEAT)
            if device["id"] in ("meter1", "pcs1", "pcs2"):
                points = device.setdefault("points", [])
                known = next((one for one in points if one["id"] == "p_kw"), None)
                if known is None:
                    points.append({"id": "p_kw", "scan": scan})
                else:
                    known["scan"] = scan
        whole["devices"] += [{"parent": "bus_main", **device} for device in devices]
        (folder / "station.yaml").write_text(yaml.safe_dump(whole, allow_unicode=True), encoding="utf-8")
        for name, text in (files or {}).items():
            (folder / name).write_text(text, encoding="utf-8")
        self.bind(strategies)
        command = [sys.executable, "-m", "app", "sim", str(folder), "-o", str(self.overlay), "--start", start]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        end = time.monotonic() + 60
        while not self.overlay.exists() or not self.overlay.read_text(encoding="utf-8").strip():
            assert self._process.poll() is None and time.monotonic() < end, self._process.communicate()[0]
            time.sleep(0.05)
        time.sleep(0.5)
        if energy_kwh is not None:  # the station believes so; its batteries hold what they hold
            for device in whole["devices"]:
                if device["kind"] in ("pcs", "bms"):
                    device["ratings"] = {**device["ratings"], "energy_kwh": energy_kwh}
            (folder / "station.yaml").write_text(yaml.safe_dump(whole, allow_unicode=True), encoding="utf-8")

    def bind(self, strategies: Sequence[Mapping[str, Any]]) -> None:
        """These are the strategies."""
        text = yaml.safe_dump({"strategies": [{"mode": "live", **one} for one in strategies]})
        (self.folder / "strategies.yaml").write_text(text, encoding="utf-8")

    def tell(self, line: str) -> None:
        """A line for the simulator, such as `fault pcs1 deaf`."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def port(self, device: str) -> int:
        """Where it is served."""
        found = yaml.safe_load(self.overlay.read_text(encoding="utf-8"))
        return int(found["devices"][device]["connection"]["port"])

    def close(self) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(20)
        self._process.stdout.close()  # type: ignore[union-attr]
