"""What control refuses, in words."""

from __future__ import annotations

from app.model.errors import GridroomError


class ControlError(GridroomError):
    """A request that is refused: why, and what to do."""


class Unanswered(ControlError):
    """A command that may have been heard all the same."""
