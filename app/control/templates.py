"""Templates of strategies: a kind, what it is used for, and the parameters that every such use has in common.

A template is a file `NAME@VERSION.yaml`, in `strategies/` of the station's folder or of Gridroom's own. Whoever uses
one names its version, so that nothing which runs is changed by a newer one: what is said otherwise is another version.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from app.model.config import LocalText
from app.model.control import Rank
from app.model.errors import Wrong
from app.model.explaining import explain
from app.model.fields import Form
from app.model.named_files import STRATEGY_FOLDER
from app.model.text import Text
from app.model.yaml_source import YamlSource

RESOURCES: Final = Path(__file__).resolve().parents[2] / "resources" / "strategies"
_NAME: Final = re.compile(r"([a-z][a-z0-9_]*)@([1-9][0-9]*)")


class TemplateForm(Form):
    """`strategies/NAME@VERSION.yaml`."""

    version: Literal[1]
    """Of the form, and not of the template."""
    kind: str
    name: LocalText
    about: LocalText
    """What it is for, and what whoever takes it must know."""
    priority: Rank | None = None
    params: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Template:
    """One version of one template."""

    id: str
    """`NAME@VERSION`."""
    form: TemplateForm
    text: str
    """Its file's."""


def find_template(id_: str, folders: Iterable[Path]) -> Template:
    """A template by name and version, from the first of the folders' `strategies/` that has it. Raises Wrong."""
    places = _places(folders)
    for place in places if _NAME.fullmatch(id_) else ():
        if (file := place / f"{id_}.yaml").is_file():
            return _read(file)
    known = _newest(places)
    name = id_.partition("@")[0]
    near = [one for one in known if one.partition("@")[0] == name] or list(known)
    raise Wrong(
        Text(f"there is no template of strategies '{id_}'", f"没有策略模板“{id_}”"),
        Text(f"write its name and version, such as: {', '.join(near)}", f"请写名称与版本，例如：{'、'.join(near)}"),
    )


def newest_templates(folders: Iterable[Path]) -> list[Template]:
    """The newest version of each, by its id. One that cannot be read is left out: whoever uses it is told why."""
    found = []
    for file in _newest(_places(folders)).values():
        try:
            found.append(_read(file))
        except Wrong:
            continue
    return found


def _places(folders: Iterable[Path]) -> list[Path]:
    return [*(folder / STRATEGY_FOLDER for folder in folders), RESOURCES]


def _newest(places: Iterable[Path]) -> dict[str, Path]:
    """`NAME@VERSION` -> its file, sorted; of a version that several folders have, that of the first."""
    newest: dict[str, tuple[int, Path]] = {}
    for file in (file for place in places if place.is_dir() for file in sorted(place.glob("*@*.yaml"))):
        match = _NAME.fullmatch(file.stem)
        if match is not None and int(match[2]) > newest.get(match[1], (0, file))[0]:
            newest[match[1]] = int(match[2]), file
    return {file.stem: file for _, (_, file) in sorted(newest.items())}


def _read(file: Path) -> Template:
    source = YamlSource(file)
    if source.faults:
        raise Wrong(source.faults[0].line_of(file))
    try:
        return Template(file.stem, TemplateForm.model_validate(source.data), source.text)
    except ValidationError as error:
        what, mend, at = explain(error, TemplateForm)[0]
        where = f"{file.name}:{source.line(at)}"
        raise Wrong(what.at(Text.of(where)), mend) from None
