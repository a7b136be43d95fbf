"""What commissioning refuses."""

from __future__ import annotations

from app.model.errors import GridroomError


class EditError(GridroomError):
    """A change, trial or search that cannot be made. The message says why and what to do."""
