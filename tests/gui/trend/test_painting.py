"""What a person sees: lines that end where knowledge ends, steps, bands, hatching, lanes, marks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.model import quality as q
from app.model.clock import SECOND_NS as S
from app.model.text import Text
from widgets import language, theme
from widgets.trend import TrendView

from .conftest import NOW, Picture, pen, series, settle

Make = Callable[..., TrendView]
MINUTES = np.arange(-3600, 1, 10.0)


def show(view: TrendView, *many: object) -> Picture:
    view.set_series(list(many), NOW - 3600 * S, NOW)  # type: ignore[arg-type]
    view.show_range(NOW - 3600 * S, NOW)
    return Picture(view)


def test_a_line_is_where_its_value_is(make: Make) -> None:
    view = make(pen("a.p"))
    picture = show(view, series("a.p", MINUTES, np.where(MINUTES < -1800, 0.0, 100.0)))
    scale = picture.frame.axes[0].scale
    assert (scale.low, scale.high) == (0, 100)
    for second, value in ((-3000, 0.0), (-600, 100.0)):
        y = picture.frame.y(next(iter(view._pens)), value)
        x = picture.x(second)
        assert picture.count(theme.pen_colour(0), x - 5, x + 5, (y - 1, y + 2)) >= 10


def test_a_gap_is_never_crossed(make: Make) -> None:
    view = make(pen("a.p"))
    keep = (MINUTES < -2400) | (MINUTES > -1200)
    picture = show(view, series("a.p", MINUTES[keep], np.full(keep.sum(), 50.0), gaps=[(-2400, -1200)]))
    colour = theme.pen_colour(0)
    assert picture.count(colour, picture.x(-2380), picture.x(-1220)) == 0
    assert picture.count(colour, picture.x(-3500), picture.x(-2420)) > 200
    assert picture.count(colour, picture.x(-1180), picture.x(-20)) > 200


@pytest.mark.parametrize("bucket_s", [0, 60])
def test_what_a_lost_device_repeats_in_a_gap_is_no_line(make: Make, bucket_s: int) -> None:
    view = make(pen("a.p"))
    lost = (MINUTES > -2400) & (MINUTES < -1200)
    values = np.full(len(MINUTES), 50.0)
    quality = np.where(lost, q.NT, 0).astype(np.uint16)
    rows = series("a.p", MINUTES, values, gaps=[(-2400, -1200)], quality=quality, bucket_s=bucket_s)
    if bucket_s:
        rows = replace(rows, mean=np.where(lost, np.nan, 50.0))
    picture = show(view, rows)
    assert picture.count(theme.pen_colour(0), picture.x(-2340), picture.x(-1260)) == 0
    assert picture.count(theme.colour("bad-quality"), picture.x(-2340), picture.x(-1260)) == 0
    assert picture.count(theme.pen_colour(0), picture.x(-3500), picture.x(-2460)) > 200


def test_not_a_number_breaks_the_line_as_well(make: Make) -> None:
    view = make(pen("a.p"))
    values = np.where((MINUTES > -2400) & (MINUTES < -1200), np.nan, 50.0)
    picture = show(view, series("a.p", MINUTES, values))
    assert picture.count(theme.pen_colour(0), picture.x(-2370), picture.x(-1230)) == 0


def test_a_gap_survives_a_million_samples_on_few_pixels(make: Make) -> None:
    view = make(pen("a.p"))
    second = np.linspace(-3600, 0, 300_000)
    keep = (second < -1900) | (second > -1700)
    picture = show(view, series("a.p", second[keep], np.sin(second[keep]), gaps=[(-1900, -1700)]))
    assert picture.count(theme.pen_colour(0), picture.x(-1890), picture.x(-1710)) == 0


def test_a_state_is_drawn_in_steps_in_its_lane_with_its_name(make: Make) -> None:
    states = {0: Text("open", "分"), 1: Text("closed", "合")}
    view = make(pen("a.p"), pen("b.s", "", states))
    picture = show(view, series("a.p", MINUTES, MINUTES), series("b.s", [-3600, -1800], [1, 0]))
    drawn, lane = picture.frame.lanes[0]
    assert lane.top() >= picture.frame.curves.bottom()
    colour = theme.pen_colour(1)
    rows = (lane.top(), lane.bottom())
    for second, value in ((-2000, 1), (-1500, 0), (-100, 0)):
        x, y = picture.x(second), picture.frame.y(drawn, value)
        assert picture.count(colour, x - 4, x + 4, (y - 1, y + 2)) == 8, "the last state goes on to now"
    edge = picture.found(colour, picture.x(-1800) - 2, picture.x(-1800) + 3, rows)
    assert edge.any(axis=0).sum() >= 1
    assert edge.sum(axis=0).max() >= lane.height() - 12, "an upright edge, no slope"
    assert picture.count(theme.colour("ink"), lane.left(), lane.right(), rows) > 8, "names of pen and state"


def test_buckets_show_their_extremes_and_their_mean(make: Make) -> None:
    view = make(pen("a.p"))
    second = np.arange(-3600, 0, 60.0)
    picture = show(view, series("a.p", second, np.full(60, 50.0), bucket_s=60, spread=40.0))
    x = picture.x(-1815)
    surface = theme.colour("surface")
    drawn = next(iter(view._pens))
    for value, there in ((50, True), (70, True), (15, True), (97, False), (3, False)):
        y = picture.frame.y(drawn, value)
        plain = picture.count(surface, x, x + 6, (y - 2, y + 2)) > 0
        assert plain is not there, value
    assert picture.count(theme.pen_colour(0), x, x + 6) >= 6, "the mean is a line of full colour"


def test_one_sample_alone_is_seen(make: Make) -> None:
    view = make(pen("a.p"))
    picture = show(view, series("a.p", [-3600, -1800, -1000], [1, 2, 3], gaps=[(-3590, -1810), (-1790, -1010)]))
    assert picture.count(theme.pen_colour(0), picture.x(-1800) - 3, picture.x(-1800) + 3) == 9


@pytest.mark.parametrize(("bits", "token"), [(q.IV, "bad-quality"), (q.NT, "bad-quality"), (q.SB, "manual")])
def test_bad_quality_is_hatched_about_the_curve(make: Make, bits: int, token: str) -> None:
    view = make(pen("a.p"))
    quality = np.where((MINUTES > -2400) & (MINUTES < -1200), bits, 0).astype(np.uint16)
    picture = show(view, series("a.p", MINUTES, np.sin(MINUTES / 300), quality=quality))
    curves = picture.frame.curves
    rows = (curves.top(), curves.bottom())
    hatch = theme.colour(token)
    assert picture.count(hatch, picture.x(-2300), picture.x(-1300), rows) > 300
    assert picture.count(hatch, picture.x(-3500), picture.x(-2450), rows) == 0
    assert picture.count(theme.pen_colour(0), picture.x(-2300), picture.x(-1300)) > 100, "the curve stays"


def test_bad_quality_without_value_is_hatched_on_the_floor(make: Make) -> None:
    view = make(pen("a.p"))
    bad = (MINUTES > -2400) & (MINUTES < -1200)
    picture = show(
        view,
        series("a.p", MINUTES, np.where(bad, np.nan, 5.0), quality=np.where(bad, q.IV, 0).astype(np.uint16)),
    )
    floor = picture.frame.curves.bottom()
    assert picture.count(theme.colour("bad-quality"), picture.x(-2300), picture.x(-1300), (floor - 7, floor)) > 100


def test_an_invalid_value_does_not_stretch_the_scale(make: Make) -> None:
    view = make(pen("a.p"))
    values, quality = np.full(len(MINUTES), 40.0), np.zeros(len(MINUTES), np.uint16)
    values[0], values[100], quality[100] = 10.0, 6553.5, q.IV
    picture = show(view, series("a.p", MINUTES, values, quality=quality))
    assert picture.frame.axes[0].scale.high <= 50


def test_each_unit_has_one_axis_and_pens_keep_their_colours(make: Make) -> None:
    view = make(pen("a.p"), pen("b.t", "degC"), pen("c.p"))
    picture = show(
        view, *(series(p, MINUTES, np.full(len(MINUTES), v)) for p, v in (("a.p", 1), ("b.t", 2), ("c.p", 3)))
    )
    assert [axis.scale.unit for axis in picture.frame.axes] == ["kW", "degC"]
    view.set_pens([pen("c.p"), pen("d.p")])
    numbers = {drawn.pen.point: drawn.number for drawn in view._pens}
    assert numbers == {"c.p": 2, "d.p": 0}, "c stays as it was, d takes the first colour that is free"
    assert len(view._pens.get("c.p").track) > 0  # type: ignore[union-attr]


def test_a_hidden_pen_is_not_painted_and_its_axis_goes(make: Make) -> None:
    view = make(pen("a.p"), pen("b.t", "degC"))
    show(view, series("a.p", MINUTES, MINUTES), series("b.t", MINUTES, MINUTES))
    view._table._act(1, 0)
    picture = Picture(view)
    assert [axis.scale.unit for axis in picture.frame.axes] == ["kW"]
    plot = picture.frame.plot
    assert picture.count(theme.pen_colour(1), plot.left(), plot.right()) == 0


def test_marks_stand_on_the_time_axis_in_the_colour_of_their_priority(make: Make) -> None:
    view = make(pen("a.p"))
    view.set_marks([(NOW - 1800 * S, "priority-1", "Oil too hot"), (NOW - 600 * S, "manual", "Set PCS 1")])
    picture = show(view, series("a.p", MINUTES, MINUTES))
    bottom = picture.frame.plot.bottom()
    for second, token in ((-1800, "priority-1"), (-600, "manual")):
        x = picture.x(second)
        assert picture.count(theme.colour(token), x - 6, x + 6, (bottom - 14, bottom)) > 25
    assert picture.frame.curves.bottom() < bottom - 10, "they have a strip of their own"


def test_theme_and_language_follow_at_once(make: Make) -> None:
    view = make(pen("a.p"))
    show(view, series("a.p", MINUTES, MINUTES))
    theme.choose("dark")
    picture = Picture(view)
    dark = theme.pen_colour(0)
    assert dark.name().upper() == "#5698FF"
    assert picture.count(dark, 0, 1000) > 200
    assert tuple(picture.pixels[2, 2]) == theme.colour("surface").getRgb()[:3]
    language.choose("zh")
    settle()
    assert view._live_button.text() == "▸ 实时"
    assert view._table.pen_model.headerData(1, Qt.Orientation.Horizontal) == "曲线"
    assert view._table.pen_model.cell(0, 1).text == "a.p点"


def test_labels_are_in_the_stations_zone_and_name_it(make: Make) -> None:
    view = make(pen("a.p"))
    shanghai = show(view, series("a.p", MINUTES, MINUTES))
    assert view._range_label.text() == "2026-11-20 13:00:00 – 14:00:00  CST"
    view.set_zone(ZoneInfo("Europe/Berlin"))
    berlin = Picture(view)
    assert view._range_label.text() == "2026-11-20 06:00:00 – 07:00:00  CET"
    foot = slice(int(shanghai.frame.plot.bottom()) + 5, None)
    assert not np.array_equal(shanghai.pixels[foot], berlin.pixels[foot])
    above = slice(0, int(shanghai.frame.plot.bottom()))
    assert np.array_equal(shanghai.pixels[above], berlin.pixels[above]), "curves stay where they are"


def test_the_empty_trend_says_what_to_do(make: Make) -> None:
    view = make()
    assert "Drag points here" in view._empty._title.text()
    assert "Devices" in view._empty._how.text()
    assert view._empty.isVisible()
    view.set_pens([pen("a.p")])
    settle()
    assert not view._empty.isVisible()


def test_only_what_is_on_the_screen_is_painted(make: Make) -> None:
    view = make(pen("a.p"))
    show(view, series("a.p", MINUTES, MINUTES))
    before = view.canvas.frames_painted
    view.canvas.update()
    settle()
    assert view.canvas.frames_painted == before, "without change the curves are not drawn again"
    view.hide()
    view.append("a.p", [NOW], [1.0], [0])
    view.set_marks([])
    settle()
    assert view.canvas.frames_painted == before, "nor while nobody sees them"


def test_the_swatches_of_an_axis_stand_clear_of_its_topmost_label(make: Make) -> None:
    picture = show(make(pen("a.p")), series("a.p", MINUTES, np.where(MINUTES < -1800, 0.0, 100.0)))
    axis = picture.frame.axes[0]
    assert axis.scale.high == 100, "there is a label at the very top"
    swatch = np.flatnonzero(picture.found(theme.pen_colour(0), 0, axis.rect.right()).any(axis=1))
    label = np.flatnonzero(picture.found(theme.colour("ink-soft"), 0, axis.rect.right()).any(axis=1))
    assert len(swatch) == 3 and swatch.max() < label.min()
