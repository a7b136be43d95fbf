"""Reusable Qt widgets: they take arrays and rows, emit intents, and know nothing of engines."""
