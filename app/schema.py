"""JSON Schema of station, template, northbound and strategies files: an editor completes and checks while one types."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from app.control.registry import kinds
from app.model.config import ConnectionForm, ControlForm, PointForm, StationForm, TemplateForm
from app.model.control import StrategiesForm, StrategyForm
from app.model.durations import format_duration
from app.northbound.form import NorthboundForm

_REFERENCE: Final = "#/$defs/{model}"


def schema(form: str) -> dict[str, Any]:
    """The schema of the files of one kind (JSON Schema 2020-12). KeyError for another word."""
    models: dict[str, type[BaseModel]] = {
        "station": StationForm,
        "template": TemplateForm,
        "northbound": NorthboundForm,
        "strategies": StrategiesForm,
    }
    result: dict[str, Any] = models[form].model_json_schema(by_alias=True)
    definitions = result.setdefault("$defs", {})
    parts: tuple[type[BaseModel], ...] = (PointForm, ControlForm, ConnectionForm)
    for part in parts if form in ("station", "template") else ():
        inner = part.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
        definitions.update(inner.pop("$defs", {}))
        definitions[part.__name__] = inner
    if form == "station":
        device = definitions["DeviceForm"]["properties"]
        # What a device gives is merged with its template before it is judged: only the id is needed here.
        definitions["PointOverride"] = {**definitions["PointForm"], "required": ["id"]}
        device["points"] = {"type": "array", "items": {"$ref": "#/$defs/PointOverride"}}
        device["control"] = {"$ref": "#/$defs/ControlForm"}
        definitions["ConnectionForm"].pop("required", None)  # a template may give the driver; without one it is needed
        definitions["DeviceForm"] |= {
            "if": {"not": {"required": ["template"]}},
            "then": {"properties": {"connection": {"required": ["driver"]}}},
        }
        device["connection"] = {"$ref": "#/$defs/ConnectionForm"}
    if form == "strategies":
        result["properties"]["strategies"]["items"] = {
            "anyOf": [*(_of_kind(name, definitions) for name in sorted(kinds())), _of_template(definitions)]
        }
    result["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    result["title"] = f"Gridroom {form} file, version 1"
    _write_defaults(result)
    return result


def _of_kind(name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """An entry of `strategies` of one kind, with its own parameters."""
    entry = _entry(definitions, "kind", {"const": name}, without="template")
    params = kinds()[name].form.model_json_schema(by_alias=True, ref_template=_REFERENCE)
    definitions.update(params.pop("$defs", {}))
    entry["properties"]["params"] = params
    return entry


def _of_template(definitions: dict[str, Any]) -> dict[str, Any]:
    """An entry of `strategies` that is made of a template."""
    return _entry(
        definitions, "template", {"type": "string", "pattern": "^[a-z][a-z0-9_]*@[1-9][0-9]*$"}, without="kind"
    )


def _entry(definitions: dict[str, Any], key: str, says: dict[str, Any], *, without: str) -> dict[str, Any]:
    entry = StrategyForm.model_json_schema(by_alias=True, ref_template=_REFERENCE)
    definitions.update(entry.pop("$defs", {}))
    del entry["properties"][without]
    entry["properties"][key] = says
    entry["required"].append(key)
    return entry


def _write_defaults(part: Any) -> None:
    """Defaults as they would stand in a file: an editor that offers one must not offer a fault. In place."""
    if isinstance(part, dict):
        match part.get("default"):
            case float(seconds) if part.get("type") == "string":
                part["default"] = format_duration(seconds)
            case {}:
                del part["default"]  # of a mapping each key has its own
        for inner in part.values():
            _write_defaults(inner)
    elif isinstance(part, list):
        for inner in part:
            _write_defaults(inner)
