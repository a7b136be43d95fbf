"""The pens of a trend: what each shows, its colour, its rows, and the scale of its unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.model.text import Text
from widgets.trend.scale import Scale
from widgets.trend.track import NO_FIGURES, NO_READING, Figures, Reading, Track


@dataclass(frozen=True)
class Pen:
    """What is drawn: a point, and how its values are written."""

    point: str
    """Full name, `meter1.p_kw`."""
    label: Text
    unit: str = ""
    """As the model writes it; pens of one unit share an axis."""
    precision: int | None = None
    states: Mapping[int, Text] | None = None
    """Names of states: such a pen is drawn in steps, in a lane of its own."""


class Drawn:
    """One pen on the sheet. `scale` is None for a pen with a lane."""

    def __init__(self, pen: Pen, number: int, scale: Scale | None) -> None:
        self.pen = pen
        self.number = number
        """Of its colour; kept for as long as the pen is there."""
        self.scale = scale
        self.track = Track(hold=pen.states is not None)
        self.visible = True
        self.at_cursor: Reading = NO_READING
        self.figures: Figures = NO_FIGURES

    @property
    def in_lane(self) -> bool:
        return self.scale is None

    def state_range(self) -> tuple[float, float]:
        """Lowest and highest state, for its lane."""
        states = self.pen.states or {0: Text("", ""), 1: Text("", "")}
        low, high = min(states), max(states)
        return (float(low), float(high)) if high > low else (float(low), float(low) + 1)


class Pens:
    """All pens in their order, by point name as well; and one scale a unit."""

    def __init__(self) -> None:
        self._drawn: dict[str, Drawn] = {}
        self._scales: dict[str, Scale] = {}

    def __iter__(self) -> Iterator[Drawn]:
        return iter(self._drawn.values())

    def __len__(self) -> int:
        return len(self._drawn)

    def get(self, point: str) -> Drawn | None:
        return self._drawn.get(point)

    def set(self, pens: Sequence[Pen]) -> None:
        """Exactly these. One that stays keeps its rows and colour; a new one takes the first colour that is free."""
        old = self._drawn
        stays = {pen.point: old[pen.point] for pen in pens if pen.point in old and old[pen.point].pen == pen}
        taken = {drawn.number for drawn in stays.values()}
        units = {pen.unit for pen in pens if pen.states is None}
        self._scales = {unit: self._scales.get(unit) or Scale(unit) for unit in dict.fromkeys(p.unit for p in pens)
                        if unit in units}  # fmt: skip
        self._drawn = {}
        for pen in pens:
            drawn = stays.get(pen.point)
            if drawn is None:
                number = next(n for n in range(len(pens) + len(taken) + 1) if n not in taken)
                taken.add(number)
                drawn = Drawn(pen, number, None if pen.states is not None else self._scales[pen.unit])
            self._drawn[pen.point] = drawn

    @property
    def scales(self) -> list[Scale]:
        """One a unit, in the order of the pens; only those with a visible pen."""
        used = {id(drawn.scale) for drawn in self if drawn.visible}
        return [scale for scale in self._scales.values() if id(scale) in used]

    @property
    def all_scales(self) -> list[Scale]:
        return list(self._scales.values())

    @property
    def lanes(self) -> list[Drawn]:
        """Visible pens that are drawn in lanes, from the top."""
        return [drawn for drawn in self if drawn.in_lane and drawn.visible]

    def of_scale(self, scale: Scale) -> list[Drawn]:
        """The visible pens on an axis."""
        return [drawn for drawn in self if drawn.scale is scale and drawn.visible]

    def span(self) -> tuple[int, int] | None:
        """From the first row of any visible pen to the last; None without rows."""
        spans = [span for drawn in self if drawn.visible and (span := drawn.track.span)]
        return (min(s for s, _ in spans), max(e for _, e in spans)) if spans else None
