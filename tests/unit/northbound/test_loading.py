"""`northbound.yaml` and its tables: what they mean, and that every fault is told with file, line and mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.configuration import configure
from app.model.errors import ConfigFaults
from app.northbound.centre import Centre
from tests.support.northbound_station import OFFER, write

TABLE = """# from the city dispatch, edition 3
class,ioa,type,point,scale,deadband,groups,select,name_zh
yaoxin,1,M_SP_NA_1,m.breaker,,,1 2,,并网点断路器位置
yaoxin,2,M_SP_NA_1,,,,,,not there yet
yaoce,4001H,M_ME_NC_1,m.p_kw,0.1,2,,,"有功, 总"
yaotiao,0x6201,C_SE_NC_1,m.p_set,,,,yes,
"""
WITH_TABLE = OFFER.split("    points:")[0] + "    table: dispatch.csv\n"


def centre(folder: Path, offer: str = OFFER, more: str = "") -> Centre:
    (one,) = configure(write(folder, offer, more)).centres
    return one


def faults(folder: Path, offer: str = OFFER, more: str = "") -> list[str]:
    write(folder, offer, more)
    with pytest.raises(ConfigFaults) as caught:
        configure(folder)
    return [f"{fault.file.name}:{fault.line}: {fault.what}; {fault.mend}" for fault in caught.value.faults]


def test_without_the_file_nothing_is_offered(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "northbound.yaml").unlink()
    assert configure(tmp_path).centres == ()


def test_the_stations_hash_changes_with_what_is_offered(tmp_path: Path) -> None:
    """The hash says under which files a station ran; an offer is one of them, and so is each line of its table."""
    hashes = []
    for offer, table in ((OFFER, TABLE), (WITH_TABLE, TABLE), (WITH_TABLE, TABLE.replace("0.1,2", "0.1,3"))):
        (tmp_path / "dispatch.csv").write_text(table, encoding="utf-8")
        hashes.append(configure(write(tmp_path, offer)).station.config_hash)
    (tmp_path / "northbound.yaml").unlink()
    hashes.append(configure(tmp_path).station.config_hash)
    assert len(set(hashes)) == 4


def test_defaults(tmp_path: Path) -> None:
    one = centre(tmp_path, OFFER.replace("    listen: {host: 127.0.0.1, port: 0}\n", ""))
    assert (one.host, one.port, one.allow, one.tls, one.redundant) == ("0.0.0.0", 2404, None, None, True)  # noqa: S104
    assert one.parameters == {"k": 12, "w": 8, "t1": 15.0, "t2": 10.0, "t3": 20.0}
    assert (one.station_clock, one.confirms_clock, one.timed_measurements) == (False, False, True)
    assert (one.cyclic_s, one.lost_after_s) == (None, 60.0)


def test_a_deadband_is_the_points_own_where_none_is_given(tmp_path: Path) -> None:
    values = {value.ioa: value for value in centre(tmp_path).values}
    assert (values[16385].deadband, values[16386].deadband, values[16387].deadband) == (0.5, 0.5, 0.0)
    one = centre(tmp_path, OFFER.replace("type: M_ME_NC_1,", "type: M_ME_NC_1, deadband: 3,"))
    assert {value.ioa: value.deadband for value in one.values}[16385] == 3.0


def test_a_type_with_time_stands_for_its_twin(tmp_path: Path) -> None:
    one = centre(tmp_path, OFFER.replace("M_ME_NC_1, groups", "M_ME_TF_1, groups").replace("C_SC_NA_1", "C_SC_TA_1"))
    assert {value.ioa: value.type for value in one.values}[16385] == 13


def test_a_table_says_the_same_as_the_file(tmp_path: Path) -> None:
    (tmp_path / "dispatch.csv").write_text("\ufeff" + TABLE, encoding="utf-8")
    one = centre(tmp_path, WITH_TABLE)
    assert [(value.ioa, value.type, value.scale, value.deadband, value.groups) for value in one.values] == [
        (1, 1, 1.0, 0.0, (1, 2)), (0x4001, 13, 0.1, 2.0, ()),
    ]  # fmt: skip
    (command,) = one.commands
    assert (command.ioa, command.select, command.name.zh) == (0x6201, True, "电表 p_set")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("    allow: any\n", "", "northbound.yaml:3: 'allow' is missing; add 'allow: ...'"),
        ("allow: any", "allow: [10.0.0.300]", "7: allow: '10.0.0.300' is no IP address and no network; write such as 10.0.0.5 or"),
        ("allow: any", "allow: []", "7: allow: must be a list of addresses, or any; write such as [10.0.0.5"),
        ("allow: any", "allow: any\n    k: 3", "northbound.yaml:3: iec104[0]: w 8 is more than two thirds of k 3; write 2"),
        ("allow: any", "allow: any\n    t2: 20s", "t2 20s is not below t1 15s; acknowledge before"),
        ("allow: any", "allow: any\n    t1: 15500ms", "8: dispatch1: t1 is not whole seconds from 1s to 255s; correct it"),
        ("allow: any", "allow: any\n    cyclic: 500ms", "cyclic is shorter than 1s"),
        ("allow: any", "allow: any\n    clocks: utc", "8: unknown key 'clocks'; did you mean 'clock'?"),
        ("ca: 1", "ca: 65535", "6: ca: "),
        ("m.breaker,", "m.braker,", "9: dispatch1, 1: unknown point 'm.braker'; did you mean 'm.breaker'?"),
        ("M_SP_NA_1", "M_SP_NX_1", "9: type: unknown type 'M_SP_NX_1'; one of: M_SP_NA_1 "),
        ("M_SP_NA_1", "C_SC_NA_1", "9: type: C_SC_NA_1 is not of this list; commands stand under 'commands'"),
        ("ioa: 2,", "ioa: 1,", "10: dispatch1, 1: this address is taken already in northbound.yaml:9; give each"),
        ("ioa: 25090", "ioa: 16385", "19: dispatch1, 16385: this address is taken already in northbound.yaml:11"),
        ("ioa: 1,", "ioa: 0,", "9: ioa: input should be greater than or equal to 1; it holds '0'"),
        ("scale: 0.1", "scale: 0", "12: points[3]: scale 0 would lose every value; leave it out for 1"),
        ("groups: [3]", "groups: [5]", "a counter has a group above 4; counters know groups 1 to 4"),
        ("point: m.p_set,", "point: m.p_kw,", "18: dispatch1, 25089: m.p_kw is a measurement, which nobody can command"),
        ("{point: m.p_set, ", "{", "18: commands[1]: needs either a point or a name, and not both; name what no"),
    ],
)  # fmt: skip
def test_faults(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert OFFER.replace(old, new, 1) != OFFER
    found = faults(tmp_path, OFFER.replace(old, new, 1))
    assert any(expected in fault for fault in found), found


def test_centres_must_differ(tmp_path: Path) -> None:
    found = faults(
        tmp_path, OFFER.replace("port: 0", "port: 2404") + OFFER.split("iec104:\n")[1].replace("port: 0", "port: 2404")
    )
    assert "centre 'dispatch1' exists already in line 3" in found[0]
    assert "dispatch1 listens at port 2404 already" in found[1]


def test_tls_files_must_be_there_and_no_password_in_the_file(tmp_path: Path) -> None:
    found = faults(tmp_path, more="tls: {certificate: a.pem, key: a.key, password: secret}")
    assert "northbound.yaml:8: tls certificate 'a.pem' is no file; give the path of a PEM file" in found
    assert "northbound.yaml:8: a password stands in the file; write 'password: secret:NAME'" in found


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (None, "dispatch.csv:1: the table cannot be read: No such file or directory; correct the path under 'table'"),
        ("", "dispatch.csv:1: the table is empty; begin with the line ioa,type,point"),
        ("ioa,type\n", "dispatch.csv:1: no column 'point'; add it to the first line"),
        (TABLE.replace("deadband", "deadbnd"), "dispatch.csv:2: unknown column 'deadbnd'; did you mean 'deadband'?"),
        (TABLE.replace("scale", "ioa"), "dispatch.csv:2: column 'ioa' is there twice; keep one of the two"),
        (TABLE.replace("4001H", "4001X"), "dispatch.csv:5: ioa: must be a whole number"),
        (TABLE.replace("m.p_kw,0.1", "m.p_kw,much"), "dispatch.csv:5: scale: must be a number; it holds 'much'"),
        (TABLE.replace("m.p_kw", "m.p_w"), "dispatch.csv:5: dispatch1, 16385: unknown point 'm.p_w'; did you mean 'm.p_kw'?"),
        (TABLE.replace("0x6201", "1"), "dispatch.csv:6: dispatch1, 1: this address is taken already in dispatch.csv:3"),
        (TABLE.replace("1 2,,", "1 2,,,,,"), "dispatch.csv:3: 12 cells under 9 columns; put a text with a comma into quotes"),
        (TABLE.replace('"有功, 总"', '"有功'), "dispatch.csv:1: not CSV: unexpected end of data; save it from"),
        (TABLE.replace("yes", "perhaps"), "dispatch.csv:6: select: must be true or false"),
    ],
)  # fmt: skip
def test_faults_of_a_table(tmp_path: Path, table: str | None, expected: str) -> None:
    if table is not None:
        (tmp_path / "dispatch.csv").write_text(table, encoding="utf-8")
    found = faults(tmp_path, WITH_TABLE)
    assert any(fault.startswith(expected) for fault in found), found


def test_a_table_of_another_encoding_says_how_to_save_it(tmp_path: Path) -> None:
    (tmp_path / "dispatch.csv").write_bytes(TABLE.encode("gbk"))
    assert faults(tmp_path, WITH_TABLE)[0] == "dispatch.csv:1: not UTF-8 text; save it as 'CSV UTF-8'"
