"""The bench of the audit verifies what it wrote, and adds to it. How fast that was is not judged here."""

from __future__ import annotations

import pytest

from app.bench import audit


def test_rows_are_verified_and_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ROWS", 20_000)
    verified, added = audit.run(0.2)
    assert verified.value and verified.goal == 100_000 and "read alone" in str(verified.limit)
    assert added.value and "bare SQLite" in str(added.limit)
