"""Trends: several pens over time, live and from history."""

from widgets.trend.pens import Pen
from widgets.trend.view import POINTS_MIME, TrendView

__all__ = ["POINTS_MIME", "Pen", "TrendView"]
