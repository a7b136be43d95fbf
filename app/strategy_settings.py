"""What people change of strategies from a screen: parameters and plans, each judged whole; and trying before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

from app import trial
from app.backtesting import STEP_S, recorded
from app.commissioning.editing import append, put, remove
from app.configuration import Configuration
from app.control.loading import Bound, load_strategies
from app.control.plan import EVERY_DAY, POINTS, Plan, read_plan, written
from app.control.registry import kinds
from app.control.templates import newest_templates
from app.history.whole import write_whole
from app.model.access import Action, Actor, Changed, permit
from app.model.backtest import Report
from app.model.clock import SECOND_NS, Clock, to_datetime
from app.model.control import ParamRow, PlanView, Running, TemplateRow
from app.model.difference import Applied
from app.model.durations import format_duration
from app.model.errors import GridroomError, Wrong, mend_of
from app.model.named_files import STRATEGIES_FILE, is_own
from app.model.text import Text
from app.model.views import Series
from app.model.yaml_source import YamlSource

MOST_DAYS: Final = 400
"""Of a trial."""
_LARGEST: Final = 10_000
"""Characters of a parameter."""
_MOST_PARTS: Final = 1000


class SettingError(GridroomError):
    """A change or a trial that is refused: why, and what to do."""


class StrategySettings:
    """Of one running station. Thread-safe; answers are futures that fail with GridroomError."""

    def __init__(
        self,
        configuration: Callable[[], Configuration],
        backups: Path,
        clock: Clock,
        *,
        apply: Callable[[Actor], Applied],
        query: Callable[[Sequence[str], int, int, int], Future[list[Series]]],
        decided: Callable[[], Mapping[str, Running]] = dict,
        overlay: Path | None = None,
        locked: Text | None = None,
    ) -> None:
        """`configuration` is what runs; `apply` gives it what stands in its files, or raises GridroomError; `decided`
        says how strategies run, where that is not as their file says."""
        self._decided = decided
        self._configuration = configuration
        self._backups = backups
        self._clock = clock
        self._apply = apply
        self._query = query
        self._overlay = overlay
        self._locked = locked
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="strategies")
        self._trying = ThreadPoolExecutor(1, thread_name_prefix="trials")
        """A trial takes its time: nothing that changes the station waits for it."""
        self._trial = trial.Trial()

    def stop(self) -> None:
        """End a trial, and wait for what is being changed."""
        self._trial.stop()
        self._trying.shutdown(cancel_futures=True)
        self._pool.shutdown(cancel_futures=True)

    # ------------------------------------------------------------------------------------------------------- looking

    @permit(Action.VIEW)
    def parameters(self, strategy: str) -> list[ParamRow]:
        """Every parameter that the kind of a strategy declares, as it is given. Raises SettingError."""
        bound = self._bound(strategy)
        return _params(bound.strategy.kind, bound.given, bound.common)

    @permit(Action.VIEW)
    def templates(self) -> Future[list[TemplateRow]]:
        """What a strategy may be made of: the newest version of each, the station's own and ours."""

        def work() -> list[TemplateRow]:
            found = newest_templates((self._configuration().station.directory,))
            forms = [(one.id, one.form) for one in found if one.form.kind in kinds()]
            return [
                TemplateRow(id_, form.name, form.about, tuple(_params(form.kind, {}, form.params)))
                for id_, form in forms
            ]

        return self._pool.submit(work)

    @permit(Action.VIEW)
    def plan(self, strategy: str) -> PlanView:
        """The plan that a strategy tracks. Raises SettingError."""
        return self._plan_view(self._bound(strategy), self._plan(strategy))

    @permit(Action.STRATEGIES)
    def read_plan(self, strategy: str, path: Path) -> Future[PlanView]:
        """A plan out of a .csv or .xlsx file, to look at: nothing is changed."""

        def work() -> PlanView:
            try:
                return self._plan_view(self._bound(strategy), read_plan(path))
            except Wrong as error:
                raise SettingError(error.text) from None

        return self._pool.submit(work)

    # ------------------------------------------------------------------------------------------------------ changing

    @permit(Action.STRATEGIES, changes=True)
    def change(self, strategy: str, key: str, value: str, reason: str = "", *, who: Actor) -> Future[Any]:
        """Another value of a parameter, as YAML has it; empty: its default. It runs when that is done, or nothing has
        changed. Answers with Applied."""
        return self._pool.submit(self._change, strategy, key, value, who)

    @permit(Action.STRATEGIES, changes=True)
    def add(
        self, strategy: str, template: str, devices: Sequence[str], params: Mapping[str, str], reason: str = "", *,
        who: Actor,
    ) -> Future[Any]:  # fmt: skip
        """Another strategy, of a template and in shadow; `params` as YAML has them, empty ones left out. Answers with
        Applied."""
        return self._pool.submit(self._add, strategy, template, tuple(devices), dict(params), who)

    @permit(Action.STRATEGIES, changes=True)
    def remove(self, strategy: str, reason: str = "", *, who: Actor) -> Future[Any]:
        """Without this strategy; what only it has set is led to rest. Answers with Applied."""
        return self._pool.submit(self._remove, strategy, who)

    @permit(Action.STRATEGIES, changes=True)
    def draw_plan(
        self, strategy: str, day: str, powers: Sequence[float], reason: str = "", *, who: Actor
    ) -> Future[Any]:
        """96 powers (kW, NaN: nothing planned) of a day (ISO 8601; empty: every day). Answers with Applied."""
        return self._pool.submit(self._draw_plan, strategy, day, tuple(map(float, powers)), who)

    @permit(Action.STRATEGIES)
    def try_out(self, start_ns: int, end_ns: int, strategy: str = "", key: str = "", value: str = "") -> Future[Report]:
        """All strategies that are not off, and `strategy`, over what was recorded; `key` of it changed to `value`.

        Runs in a process of its own. Nothing is commanded, and nothing changed.
        """
        return self._trying.submit(self._try_out, start_ns, end_ns, strategy, key, value)

    # ---------------------------------------------------------------------------------------------------- on the pool

    def _change(self, strategy: str, key: str, value: str, who: Actor) -> Changed[Applied]:
        before = self._bound(strategy).given
        text, after = self._edited(strategy, key, value)
        return self._written({STRATEGIES_FILE: text}, who, {key: before.get(key)}, {key: after.get(key)})

    def _add(
        self, strategy: str, template: str, devices: tuple[str, ...], params: Mapping[str, str], who: Actor
    ) -> Changed[Applied]:
        entry: dict[str, Any] = {"id": strategy, "template": template, "mode": "shadow", "devices": list(devices)}
        given = {key: _parsed(value) for key, value in params.items() if value.strip()}
        if given:
            entry["params"] = given
        file = self._configuration().station.directory / STRATEGIES_FILE
        source = self._source() if file.exists() else YamlSource(file, "version: 1\n")
        return self._written({STRATEGIES_FILE: append(source, ("strategies",), entry)}, who, None, entry)

    def _remove(self, strategy: str, who: Actor) -> Changed[Applied]:
        source = self._source()
        position = self._position(source, strategy)
        entry = source.data["strategies"][position]
        text = remove(source, ("strategies", position))
        return self._written({STRATEGIES_FILE: text}, who, entry, None)

    def _edited(self, strategy: str, key: str, value: str, *, live: bool = False) -> tuple[str, dict[str, Any]]:
        """The text of `strategies.yaml` with another value, and the parameters then. Raises SettingError."""
        bound = self._bound(strategy)
        if key not in kinds()[bound.strategy.kind].form.model_fields:
            raise SettingError(Text(f"{strategy} has no parameter '{key}'", f"{strategy} 没有参数“{key}”"))
        params = {name: one for name, one in bound.given.items() if name != key}
        if value.strip():
            params[key] = _parsed(value)
        return self._put(strategy, {"params": params, **({"mode": "live"} if live else {})}), params

    def _put(self, strategy: str, keys: Mapping[str, Any]) -> str:
        source = self._source()
        position = self._position(source, strategy)
        changed = {**source.data["strategies"][position], **keys}
        if not changed.get("params"):
            changed.pop("params", None)
        return put(source, ("strategies", position), changed)

    @staticmethod
    def _position(source: YamlSource, strategy: str) -> int:
        entries = source.data.get("strategies") or []
        position = next((i for i, one in enumerate(entries) if one.get("id") == strategy), None)
        if position is None:
            raise SettingError(Text(f"{STRATEGIES_FILE} names no strategy '{strategy}'", f"文件中没有策略“{strategy}”"))
        return position

    def _draw_plan(self, strategy: str, day: str, powers: tuple[float, ...], who: Actor) -> Changed[Applied]:
        bound, plan = self._bound(strategy), self._plan(strategy)
        if len(powers) != POINTS or any(math.isinf(one) for one in powers):
            words = Text(f"a day of a plan has {POINTS} powers in kW", f"每日计划应有 {POINTS} 个功率（kW）")
            raise SettingError(words)
        try:
            when = date.fromisoformat(day) if day else EVERY_DAY
        except ValueError:
            raise SettingError(Text(f"'{day}' is no day", f"“{day}”不是日期")) from None
        days = {**plan.days, when: powers}
        if all(math.isnan(one) for one in powers):
            days.pop(when)
        if not days:
            words = Text("a plan without any power is none; switch the strategy off", "计划为空；请改为退出策略")
            raise SettingError(words)
        given = bound.given.get("plan")
        directory = self._configuration().station.directory
        is_csv = isinstance(given, str) and given.lower().endswith(".csv") and is_own(directory, given)
        name = given if isinstance(given, str) and is_csv else self._plan_file(strategy)
        files = {name: written(Plan(days))}
        if name != given:
            files[STRATEGIES_FILE], _ = self._edited(strategy, "plan", name)
        changed = {"day": day, "kw": list(powers)}
        return self._written(files, who, {"day": day, "kw": list(plan.days.get(when, ()))}, changed)

    def _plan_file(self, strategy: str) -> str:
        """A file of its own for a plan that had none: nobody has put it there, and no other strategy goes by it."""
        directory = self._configuration().station.directory
        names = (f"plan_{strategy}{f'_{n}' if n else ''}.csv" for n in range(1000))
        return next(name for name in names if not (directory / name).exists() and not (directory / name).is_symlink())

    def _written(self, files: Mapping[str, str], who: Actor, before: object, after: object) -> Changed[Applied]:
        """These files in place of those, and the running station with them; or everything as it was."""
        if self._locked is not None:
            raise SettingError(self._locked)
        directory = self._configuration().station.directory
        was = {name: _text(directory / name) for name in files}
        stamp = to_datetime(self._clock.now_ns()).strftime("%Y%m%dT%H%M%S%fZ")
        folder = self._backups / f"{stamp}-strategies"
        try:
            for name, text in was.items():
                if text is not None:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    write_whole(folder / name, text)
            try:
                _put_all(directory, files)
                applied = self._apply(who)
            except BaseException:
                _put_all(directory, was)
                raise
        except OSError as error:
            why, mend = error.strerror or str(error), mend_of(error)
            where = error.filename or directory
            raise SettingError(
                Text(f"{where} cannot be written: {why}; {mend.en}", f"无法写入 {where}：{why}；{mend.zh}")
            ) from error
        return Changed(applied, before, after)

    def _try_out(self, start_ns: int, end_ns: int, strategy: str, key: str, value: str) -> Report:
        station = self._configuration().station
        if not STEP_S * SECOND_NS <= end_ns - start_ns <= MOST_DAYS * 86400 * SECOND_NS:
            raise SettingError(
                Text(
                    f"try a quarter of an hour at least, and {MOST_DAYS} days at most",
                    f"试算时段应为一刻钟至 {MOST_DAYS} 天",
                )
            )
        text = self._source().text
        if key:
            text, _ = self._edited(strategy, key, value, live=True)
        elif strategy:
            text = self._put(strategy, {"mode": "live"})
        answer = load_strategies(station, text)
        modes = {one.id: one.running for one in answer[0]} | dict(self._decided())
        if strategy:
            modes[strategy] = Running.LIVE
        _judge(answer, modes)
        record = recorded(station, answer[0], lambda *asked: self._query(*asked).result(), start_ns, end_ns)
        return self._trial.run(station.directory, self._overlay, text, record, modes)

    # --------------------------------------------------------------------------------------------------------- inside

    def _bound(self, strategy: str) -> Bound:
        found = next((one for one in self._configuration().strategies if one.id == strategy), None)
        if found is None:
            raise SettingError(Text(f"there is no strategy '{strategy}'", f"没有策略“{strategy}”"))
        return found

    def _plan(self, strategy: str) -> Plan:
        plan = getattr(self._bound(strategy).strategy.params, "plan", None)
        if not isinstance(plan, Plan):
            raise SettingError(Text(f"{strategy} tracks no plan", f"{strategy} 不是计划类策略"))
        return plan

    def _plan_view(self, bound: Bound, plan: Plan) -> PlanView:
        station = self._configuration().station
        rating = sum(station.by_id[id_].ratings.power_kw or 0.0 for id_ in bound.devices)
        planned = [abs(one) for values in plan.days.values() for one in values if math.isfinite(one)]
        rating = rating or max(planned, default=100.0) or 100.0
        days = {"" if day == EVERY_DAY else day.isoformat(): values for day, values in plan.days.items()}
        return PlanView(days, -rating, rating)

    def _source(self) -> YamlSource:
        source = YamlSource(self._configuration().station.directory / STRATEGIES_FILE)
        if source.faults or not isinstance(source.data, dict):
            raise SettingError(
                Text(
                    f"{STRATEGIES_FILE} cannot be edited; mend it in an editor first",
                    f"{STRATEGIES_FILE} 有误；请先用编辑器改正",
                )
            )
        return source


def _params(kind: str, given: Mapping[str, Any], common: Mapping[str, Any]) -> list[ParamRow]:
    """Every parameter that a kind declares; of those that a template gives its value is the default."""
    rows = []
    form = kinds()[kind].form
    types = form.model_json_schema()["properties"]
    for key, field in form.model_fields.items():
        said = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        default = "" if field.is_required() or field.default is None else _yaml(field.default)
        if types[key].get("type") == "string" and isinstance(field.default, float):
            default = format_duration(field.default)
        default = _yaml(common[key]) if key in common else default
        value = _yaml(given[key]) if key in given else ""
        meaning = Text(str(said.get("en", key)), str(said.get("zh", key)))
        required = field.is_required() and key not in common
        rows.append(ParamRow(key, str(said.get("unit", "")), meaning, value, default, required))
    return rows


def _judge(answer: tuple[tuple[Bound, ...], list[Any], str], modes: Mapping[str, Running]) -> None:
    bound, faults, _ = answer
    if faults:
        raise SettingError(faults[0].line_of(faults[0].file))
    if not any(modes[one.id] is not Running.OFF for one in bound):
        raise SettingError(Text("every strategy is off; choose one to try", "所有策略均已退出；请选择要试算的策略"))


def _parsed(value: str) -> Any:
    """Plain YAML on one line: a number, a word, a list. Raises SettingError."""
    try:
        if len(value) > _LARGEST:
            raise ValueError
        found = yaml.safe_load(value)
        if _size(found, _MOST_PARTS) > _MOST_PARTS:  # a few aliases may stand for millions
            raise ValueError
        return found
    except (yaml.YAMLError, ValueError, RecursionError):
        raise SettingError(Text(f"'{value[:80]}' is no value", f"“{value[:80]}”不是有效的值")) from None


def _size(value: object, most: int) -> int:
    """Of how many parts a value consists; no more are counted than `most` and one."""
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    count = 1
    for part in parts:
        count += _size(part, most - count)
        if count > most:
            break
    return count


def _yaml(value: object) -> str:
    plain = [str(one) if isinstance(one, str) else one for one in value] if isinstance(value, list | tuple) else value
    if isinstance(plain, list) and len(plain) == POINTS:
        return f"({POINTS})"
    plain = str(plain) if isinstance(plain, str) else plain
    return yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True).replace("\n...", "").strip()


def _text(file: Path) -> str | None:
    try:
        return file.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None


def _put_all(directory: Path, files: Mapping[str, str | None]) -> None:
    for name, text in files.items():
        if text is None:
            (directory / name).unlink(missing_ok=True)
        else:
            write_whole(directory / name, text)
