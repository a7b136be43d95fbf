"""What a person has made of a device so far. No Qt: forms as they stand in a station file, and what differs.

What a template says is not repeated at the device; a value set back to the template's is left out again.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.model.commissioning import Change

LIMITS: Final = ("hh", "h", "l", "ll")
POINT_FIELDS: Final = ("scan", "deadband", "precision", "range")
_KEYS: Final = ("id", "name", "kind", "parent", "template", "connection", "ratings", "control", "bms", "blocks")


class PointDraft:
    """One point: what its template says (`base`, empty for the device's own), and what the device says (`given`)."""

    def __init__(self, base: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        self.base = base
        self.given: dict[str, Any] = copy.deepcopy(dict(given))
        self.id = str(given.get("id") or base.get("id") or "")
        self.stored_id = self.id
        """As the file calls it, where it is there."""

    @property
    def own(self) -> bool:
        """Whether it stands at the device only, and may be removed."""
        return not self.base

    def value(self, key: str) -> Any:
        """What holds: the device's word, or its template's. None where neither says anything."""
        return self.given.get(key, self.base.get(key))

    def set(self, key: str, value: Any) -> None:
        """None goes back to what the template says."""
        if value is None or (key in self.base and self.base[key] == value and type(self.base[key]) is type(value)):
            self.given.pop(key, None)
        else:
            self.given[key] = value

    def limit(self, name: str) -> tuple[float | None, str]:
        """Value and priority of hh, h, l or ll; the priority is empty where the limit does not say one itself."""
        one = (self.value("alarms") or {}).get(name)
        if isinstance(one, Mapping):
            return one.get("value"), str(one.get("priority") or "")
        return one, ""

    def set_limit(self, name: str, value: Any, priority: str) -> None:
        """None takes the limit away. Its delay and hysteresis stay."""
        alarms = copy.deepcopy(dict(self.value("alarms") or {}))
        before = alarms.pop(name, None)
        if value is not None:
            rest = {key: more for key, more in before.items() if key != "priority"} if isinstance(before, dict) else {}
            made = {**rest, "value": value} | ({"priority": priority} if priority else {})
            alarms[name] = value if set(made) == {"value"} and not isinstance(before, dict) else made
        order = [*LIMITS, *(key for key in alarms if key not in LIMITS)]
        alarms = {key: alarms[key] for key in order if key in alarms}
        if alarms or self.base.get("alarms"):
            self.set("alarms", alarms)
        else:
            self.set("alarms", None)

    def rest(self) -> dict[str, Any]:
        """What the device says beside the fields of the form and the four limits."""
        shown = {key: value for key, value in self.given.items() if key not in (*POINT_FIELDS, "alarms")}
        if not self.own:
            shown.pop("id", None)
        alarms = {key: value for key, value in (self.given.get("alarms") or {}).items() if key not in LIMITS}
        return {**shown, "alarms": alarms} if alarms else shown

    def set_rest(self, rest: Mapping[str, Any]) -> None:
        """Replace it; the fields and the four limits stay, unless `rest` says them too."""
        rest = dict(rest)
        alarms = {key: one for key, one in (self.given.get("alarms") or {}).items() if key in LIMITS}
        more = rest.pop("alarms", None) or {}
        alarms = {**alarms, **(more if isinstance(more, Mapping) else {})}
        kept = {key: value for key, value in self.given.items() if key in POINT_FIELDS}
        head = {} if self.own else {"id": self.id}
        self.given = {**head, **rest, **kept} | ({"alarms": alarms} if alarms else {})
        self.id = str(self.given.get("id") or "") if self.own else self.id

    def form(self) -> dict[str, Any] | None:
        """As it stands in the file; None where the device says nothing of its own."""
        if self.own:
            return dict(self.given)
        said = {key: value for key, value in self.given.items() if key != "id"}
        return {"id": self.id, **said} if said else None


class DeviceDraft:
    """One device. `before` is its form in the file, None for a new one."""

    def __init__(self, before: Mapping[str, Any] | None, like: Mapping[str, Any] | None = None) -> None:
        """`like`: what a new one begins with."""
        self.before: dict[str, Any] | None = copy.deepcopy(dict(before)) if before is not None else None
        self.form: dict[str, Any] = copy.deepcopy(dict(before if before is not None else like or {}))
        points = self.form.pop("points", None)
        self._given = [point for point in points or () if isinstance(point, dict)]
        self.points: list[PointDraft] = []
        self.set_template_points([])

    @property
    def id(self) -> str:
        """As it is called now; empty while it has no name yet."""
        return str(self.form.get("id") or "")

    @property
    def stored_id(self) -> str:
        """As the file calls it; empty for a new device."""
        return str((self.before or {}).get("id") or "")

    def set_template_points(self, template: Sequence[Mapping[str, Any]]) -> None:
        """The points that its template has. What the device says of points stays said."""
        if self.points:
            self._given = [form for form in (point.form() for point in self.points) if form is not None]
        given = {str(form.get("id")): form for form in self._given}
        bases = {str(base["id"]): base for base in template}
        self.points = [PointDraft(base, given.get(id_, {"id": id_})) for id_, base in bases.items()]
        self.points += [PointDraft({}, form) for form in self._given if str(form.get("id")) not in bases]

    def set(self, path: Sequence[str], value: Any) -> None:
        """Set what stands at one key or two, such as (ratings, power_kw). None leaves it out, and an empty mapping too.

        A mapping is put into the order of a station file's keys only where it is new.
        """
        if len(path) == 1:
            inner = value
        else:
            holder = self.form.get(path[0])
            inner = dict(holder) if isinstance(holder, Mapping) else {}
            if value is None:
                inner.pop(path[1], None)
            else:
                inner[path[1]] = value
        if inner is None or inner == {}:
            self.form.pop(path[0], None)
        else:
            self.form[path[0]] = inner

    def changes(self) -> list[Change]:
        """What is to be done to the file, the device first, then its points; empty where nothing differs."""
        if self.before is None:
            form = {key: self.form[key] for key in (*_KEYS, *self.form) if key in self.form}
            points = [said for said in (point.form() for point in self.points) if said is not None]
            return [Change("", {**form, "points": points} if points else form)]
        found: list[Change] = []
        stored = {str(form.get("id")): form for form in self.before.get("points") or () if isinstance(form, dict)}
        kept = {key: value for key, value in self.before.items() if key != "points"}
        if not _same(self.form, kept):
            untouched = {key: self.before[key] for key in ("points",) if key in self.before}
            found.append(Change(self.stored_id, {**self.form, **untouched}))
        forms = {point.stored_id: mine for point in self.points if (mine := point.form()) is not None}
        found += [Change(self.id, None, point=id_) for id_ in stored if id_ not in forms]
        for id_, said in forms.items():
            if id_ not in stored or not _same(said, stored[id_]):
                found.append(Change(self.id, said, point=id_))
        return found

    def add_point(self) -> PointDraft:
        """A new one of the device's own, with an id that is free."""
        taken = {point.id for point in self.points} | {point.stored_id for point in self.points}
        number = next(n for n in range(1, len(taken) + 2) if f"point{n}" not in taken)
        point = PointDraft({}, {"id": f"point{number}", "name": f"Point {number}", "kind": "measurement"})
        self.points.append(point)
        return point


def _same(one: Any, other: Any) -> bool:
    """Equal as YAML: True is not 1, and 1 is not 1.0."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and type(one) is type(other)
