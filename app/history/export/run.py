"""One export from beginning to end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from app.history.archive import Archive
from app.history.export.request import ExportError, ExportRequest, ExportResult
from app.history.export.rows import ExportPoint, keeps, matching, portions
from app.history.export.sinks import SINKS
from app.history.layout import MS_NS, Tier
from app.history.readers import Task
from app.history.whole import appearing
from app.model.errors import StorageError, mend_of
from app.model.text import Text

log = logging.getLogger("gridroom.history.run")


def run_export(archive: Archive, task: Task[Any], request: ExportRequest) -> ExportResult:
    """Write the file. It appears under its name when it is whole; called off or failed, it never does.

    Raises ExportError for a wrong request, StorageError where the file cannot be written or the history not be read,
    CancelledError.
    """
    tier, zone = request.judged(archive.station.timezone)
    points = matching(archive, request.points)
    window = -(-request.start_ns // MS_NS), -(-request.end_ns // MS_NS)
    tell = request.progress or (lambda share: None)
    rows = 0
    seen: set[int] = set()
    try:
        with appearing(request.path) as temporary:
            sink = SINKS[request.path.suffix.lower()](temporary, tier, zone)
            try:
                for portion in portions(archive, task, tier, points, window):
                    task.check()
                    sink.write(portion)
                    rows += len(portion.rows.time)
                    seen.add(portion.point.id)
                    tell(portion.share)
                sink.finish()
            except BaseException:
                sink.abandon()
                raise
            missing = [point for point in points if point.id not in seen and not keeps(archive, point, tier)]
            if len(missing) == len(points):
                raise _not_kept(archive, points, tier)
            task.check()
    except OSError as error:
        why, mend = error.strerror or error, mend_of(error)
        text = Text(
            f"{request.path} cannot be written ({why}); {mend.en}, or choose another place",
            f"{request.path} 无法写入（{why}）；{mend.zh}，或另选位置",
        )
        raise StorageError(text) from error
    tell(1.0)
    return ExportResult(request.path, rows, len(seen), len(missing))


def _not_kept(archive: Archive, points: Sequence[ExportPoint], tier: Tier) -> ExportError:
    kept = " ".join(other for other in Tier if any(keeps(archive, point, other) for point in points))
    return ExportError(
        Text(
            f"none of these points is kept every {tier}, which takes four scans within {tier}; choose one of: {kept}",
            f"这些测点都没有 {tier} 间隔的数据（{tier} 内至少需要四次扫描）；可选：{kept}",
        )
    )
