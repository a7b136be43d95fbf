"""Trends: points picked at the left, their course in the middle, what is seen exported."""

from __future__ import annotations

from app.console.pages.page import Context, Page


class TrendsPage(Page):
    name = "trends"
    title = "Trends"

    def __init__(self, context: Context) -> None:
        super().__init__(context)

    def add_points(self, names: list[str]) -> None:
        """Show these as well."""
