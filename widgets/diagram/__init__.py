"""Single-line diagrams."""

from widgets.diagram.elements import Element, ElementValue, Kind, Role, Switch, from_station
from widgets.diagram.view import DiagramView

__all__ = ["DiagramView", "Element", "ElementValue", "Kind", "Role", "Switch", "from_station"]
