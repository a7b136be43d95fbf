"""Filters between driver and table (docs/reference/cleaning.md)."""

from app.engine.cleaning.cleaning import Cleaning
from app.engine.cleaning.stage import Now

__all__ = ["Cleaning", "Now"]
