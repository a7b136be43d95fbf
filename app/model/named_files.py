"""Which files make a station: its YAML files, its templates and tariffs, and the tables that these name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from app.model.yaml_source import YamlSource

STATION_FILE: Final = "station.yaml"
NORTHBOUND_FILE: Final = "northbound.yaml"
STRATEGIES_FILE: Final = "strategies.yaml"
YAML_FILES: Final = (STATION_FILE, NORTHBOUND_FILE, STRATEGIES_FILE)
TEMPLATE_FOLDER: Final = "templates"
TARIFF_FOLDER: Final = "tariffs"
STRATEGY_FOLDER: Final = "strategies"
"""Templates of strategies."""
FOLDERS: Final = (TEMPLATE_FOLDER, TARIFF_FOLDER, STRATEGY_FOLDER)
YAML_FORMS: Final = (".yaml", ".yml")
TABLE_FORMS: Final = (".csv", ".xlsx")


def is_read_unasked(name: str) -> bool:
    """Whether a file of this path in the station's folder means something by being there."""
    below = name.startswith(tuple(f"{folder}/" for folder in FOLDERS)) and name.endswith(YAML_FORMS)
    return below or name in YAML_FILES


def station_files(directory: Path) -> Iterator[str]:
    """The paths in the station's folder of all that makes it, each once. No link is followed, nothing is judged."""
    found = [name for name in YAML_FILES if is_own(directory, name)]
    for path in sorted(path for folder in FOLDERS for path in (directory / folder).rglob("*")):
        name = path.relative_to(directory).as_posix()
        if is_read_unasked(name) and is_own(directory, name):
            found.append(name)
    for name in YAML_FILES[1:]:
        if name in found:
            found += tables_in(YamlSource(directory / name).data, directory)
    yield from dict.fromkeys(found)


def tables_in(form: Any, directory: Path) -> Iterator[str]:
    """The tables of the station's folder that stand anywhere in what a YAML file says."""
    if isinstance(form, Mapping):
        for value in form.values():
            yield from tables_in(value, directory)
    elif isinstance(form, list):
        for value in form:
            yield from tables_in(value, directory)
    elif isinstance(form, str) and form.lower().endswith(TABLE_FORMS) and is_own(directory, form):
        yield Path(form).as_posix()


def is_own(directory: Path, name: str) -> bool:
    """Whether it is a regular file within the folder, reached by no link. Never raises for an odd name."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        return False
    way = [directory.joinpath(*path.parts[: i + 1]) for i in range(len(path.parts))]
    try:
        return bool(way) and not any(one.is_symlink() for one in way) and way[-1].is_file()
    except OSError:  # such as a name that is too long
        return False
