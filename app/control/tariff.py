"""Dated tariffs as data: which period an hour of a day belongs to (尖 峰 平 谷 深谷)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from app.model.errors import Wrong
from app.model.fields import Form
from app.model.named_files import TARIFF_FOLDER
from app.model.text import Text
from app.model.yaml_source import YamlSource

PERIODS: Final = ("sharp", "peak", "flat", "valley", "deep_valley")
Period = Literal["sharp", "peak", "flat", "valley", "deep_valley"]
RESOURCES: Final = Path(__file__).resolve().parents[2] / "resources" / "tariffs"
_DAY_MIN: Final = 24 * 60


def _minutes(value: object) -> int:
    """`07:30` -> 450; `24:00` ends a day."""
    hours, colon, minutes = str(value).partition(":")
    if not (
        colon
        and hours.isdigit()
        and minutes.isdigit()
        and int(minutes) < 60
        and int(hours) * 60 + int(minutes) <= _DAY_MIN
    ):
        raise Wrong(Text(f"'{value}' is no time of a day", f"“{value}”不是时刻"), Text("write 07:30", "请写 07:30"))
    return int(hours) * 60 + int(minutes)


def _span(span: tuple[int, int]) -> tuple[int, int]:
    if span[0] >= span[1]:
        raise Wrong(
            Text("a span ends before it begins", "时段的结束早于开始"), Text("split it at 24:00", "请在 24:00 处拆分")
        )
    return span


Minutes = Annotated[int, BeforeValidator(_minutes)]
Span = Annotated[tuple[Minutes, Minutes], AfterValidator(_span)]


class SeasonForm(Form):
    """The periods of a day in some months; what no span holds is the rest."""

    months: Annotated[tuple[Annotated[int, Field(ge=1, le=12)], ...], Field(min_length=1)]
    periods: dict[Period, tuple[Span, ...]] = Field(default_factory=dict)
    rest: Period = "flat"


class DatedForm(Form):
    """From a day on, until the next."""

    from_: Annotated[date, Field(alias="from")]
    prices: dict[Period, float] = Field(default_factory=dict)
    """CNY/kWh, where they are known."""
    demand_price: float | None = None
    """CNY/kW and month."""
    seasons: Annotated[tuple[SeasonForm, ...], Field(min_length=1)]


class TariffForm(Form):
    """`tariffs/NAME.yaml`: where it is from, how sure it is, and its dated periods."""

    version: Literal[1]
    name: str
    source: str
    licence: str = ""
    sure: str = ""
    dated: Annotated[tuple[DatedForm, ...], Field(min_length=1)]


class Tariff:
    """Which period holds at a time. Times are the station's."""

    def __init__(self, form: TariffForm, text: str = "") -> None:
        """`text`: its file's."""
        self.form, self.text = form, text
        self._dated = sorted(form.dated, key=lambda one: one.from_)
        self._days = {(i, month): _day(season) for i, one in enumerate(self._dated)
                      for season in one.seasons for month in season.months}  # fmt: skip

    def period_at(self, local: datetime) -> Period | None:
        """The period; None before the first day, and in a month that no season names."""
        i = self._at(local.date())
        day = self._days.get((i, local.month)) if i is not None else None
        return day[local.hour * 60 + local.minute] if day is not None else None

    def price_at(self, local: datetime) -> float | None:
        """CNY/kWh; None where nobody says."""
        period, i = self.period_at(local), self._at(local.date())
        return self._dated[i].prices.get(period) if i is not None and period is not None else None

    def demand_price(self, local: datetime) -> float | None:
        """CNY/kW and month; None where nobody says."""
        i = self._at(local.date())
        return self._dated[i].demand_price if i is not None else None

    def _at(self, day: date) -> int | None:
        found = [i for i, one in enumerate(self._dated) if one.from_ <= day]
        return found[-1] if found else None


def _day(season: SeasonForm) -> tuple[Period, ...]:
    """The period of each minute; of spans that overlap the one named first holds."""
    minutes: list[Period] = [season.rest] * _DAY_MIN
    for period, spans in reversed(season.periods.items()):
        for begin, end in spans:
            minutes[begin:end] = [period] * (end - begin)
    return tuple(minutes)


def find_tariff(name: str, folders: Iterable[Path]) -> Tariff:
    """A tariff by its name, from the first of the folders' `tariffs/` that has it. Raises Wrong."""
    if not name or "/" in name or "\\" in name or name.startswith("."):
        raise Wrong(
            Text(f"'{name}' is no name of a tariff", f"“{name}”不是电价名称"),
            Text("write it without a path", "请勿写路径"),
        )
    places = [*(folder / TARIFF_FOLDER for folder in folders), RESOURCES]
    for place in places:
        if (file := place / f"{name}.yaml").is_file():
            return Tariff(*_judged(file))
    known = sorted({file.stem for place in places if place.is_dir() for file in place.glob("*.yaml")})
    raise Wrong(
        Text(f"there is no tariff '{name}'", f"没有电价“{name}”"),
        Text(f"write one of: {', '.join(known)}", f"可用：{'、'.join(known)}"),
    )


def _judged(file: Path) -> tuple[TariffForm, str]:
    source = YamlSource(file)
    if source.faults:
        raise Wrong(source.faults[0].line_of(file))
    try:
        data: Any = source.data
        return TariffForm.model_validate(data), source.text
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Wrong(Text.of(f"{file.name}: {where}: {first['msg']}")) from None
