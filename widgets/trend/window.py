"""The piece of time that a trend shows, as whole UTC nanoseconds, so that nothing is lost however far one zooms."""

from __future__ import annotations

from typing import Final

from app.model.clock import MS_NS, SECOND_NS

NARROWEST_NS: Final = 10 * MS_NS
WIDEST_NS: Final = 100 * 366 * 86_400 * SECOND_NS
_EARLIEST_NS: Final = 0
_LATEST_NS: Final = 4_102_444_800 * SECOND_NS
"""2100-01-01: beyond it there is nothing to be seen."""


class Window:
    """Start and end of what is shown."""

    def __init__(self, start_ns: int, end_ns: int) -> None:
        self.start = start_ns
        self.end = end_ns
        self.show(start_ns, end_ns)

    @property
    def span(self) -> int:
        return self.end - self.start

    def show(self, start_ns: int, end_ns: int) -> bool:
        """Show an interval, held within what can be shown. Whether that changed anything."""
        before = (self.start, self.end)
        if end_ns < start_ns:
            start_ns, end_ns = end_ns, start_ns
        span = min(max(end_ns - start_ns, NARROWEST_NS), WIDEST_NS, _LATEST_NS - _EARLIEST_NS)
        start = min(max(start_ns, _EARLIEST_NS), _LATEST_NS - span)
        self.start, self.end = start, start + span
        return (self.start, self.end) != before

    def pan(self, by_ns: int) -> bool:
        """Move by so much. Whether that changed anything."""
        return self.show(self.start + by_ns, self.end + by_ns)

    def zoom(self, factor: float, about_ns: int) -> bool:
        """Make it `factor` times as long; the moment `about_ns` stays where it is. Whether that changed anything."""
        span = min(max(round(self.span * factor), NARROWEST_NS), WIDEST_NS)
        share = (about_ns - self.start) / self.span
        start = about_ns - round(span * share)
        return self.show(start, start + span)

    def end_at(self, end_ns: int, pixels: int) -> bool:
        """Keep the length and end there, moving by whole pixels so that what stands still does not tremble."""
        pixel = max(self.span // max(pixels, 1), 1)
        steps = -(-(end_ns - self.end) // pixel)
        return self.pan(steps * pixel) if steps else False
