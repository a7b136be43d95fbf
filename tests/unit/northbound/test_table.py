"""Point tables of any content: lines with their numbers, or faults with a line and a mend."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from app.northbound.table import KEYS, parse
from tests.support.fuzzing import a_million, spoilt

FILE = Path("dispatch.csv")
SEEDS = [
    b"ioa,type,point,scale,deadband,name\n16385,M_ME_NC_1,meter1.p_kw,1,0.5,Active power\n25089,C_SE_NC_1,pcs1.p,,,\n",
    '\ufeffioa,ioa_hex,type,point,groups,select,note\r\n# 遥测\r\n4001H,x,M_SP_NA_1,"a.b","1;2",yes,"a, ""b"""\r\n'.encode(),
    b"ioa,type,point\n0x4001,M_IT_NA_1,a.b\n1e3,,c\n,,\n",
]
ALPHABET = bytes(range(256)) + 20 * b',";\n\r #\t0123456789xHh-+.einaf_'


def fuzz(count: int, random: Random) -> None:
    read = 0
    for _ in range(count):
        text = spoilt(random, random.choice(SEEDS), ALPHABET).decode("utf-8", errors="replace")
        lines, faults = parse(text, FILE)
        last = text.count("\n") + text.count("\r") + len(text.splitlines()) + 1
        for line in lines:
            assert 1 <= line.number <= last and "point" in line.keys and set(line.keys) <= set(KEYS)
        assert all(fault.file == FILE and 1 <= fault.line <= last and fault.what and fault.mend for fault in faults)
        read += len(lines)
    assert read > count / 2


def test_any_text_is_lines_or_faults() -> None:
    fuzz(5_000, Random(1))


@pytest.mark.slow
def test_a_million_tables() -> None:
    a_million(fuzz)
