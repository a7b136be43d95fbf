"""What the document of the audit tells a stranger to run does what it says."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

from app.access.audit import Audit
from app.access.heads import _LINE
from app.model.access import Actor
from app.model.audit import AuditEntry
from app.model.clock import SystemClock
from app.records.service import FILE_NAME, Records

PAGE: Final = (Path(__file__).parents[3] / "docs" / "reference" / "audit.md").read_text(encoding="utf-8")
ODD: Final = ('"\\/', "tab\tand\x01\x7f", "李娜 🔋", "\u2028", "", "=1+1")


def judged(folder: Path) -> subprocess.CompletedProcess[str]:
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    command = [sys.executable, "-c", code, str(folder / FILE_NAME), "park1"]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def test_a_stranger_reckons_the_chain_and_finds_what_was_changed(tmp_path: Path) -> None:
    records = Records(tmp_path, on_trouble=lambda key, text: None)
    records.start()
    audit = Audit(records, SystemClock(), "park1")
    for words in ODD:
        audit.write(AuditEntry(Actor(words, words), words, words, reason=words, details={words: words})).result(20)
    head = audit.head().result(20)
    records.stop()
    done = judged(tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, f"sound; the head is {head.hash}"), done.stderr
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as file, file:
        for name, *_ in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            file.execute(f"DROP TRIGGER {name}")
        file.execute("UPDATE audit SET reason = 'another' WHERE id = 4")
    assert judged(tmp_path).stderr.strip() == "row 4 is not as it was written"


def test_the_line_of_a_head_is_one() -> None:
    assert [line for line in PAGE.splitlines() if _LINE.search(line.strip())]
