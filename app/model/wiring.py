"""What hangs on what: from the grid downwards, so that nothing stands below itself."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence

from app.model.config import NodeForm
from app.model.text import Text

Finding = tuple[tuple[Hashable, ...], Text, Text]
"""Path in the station file, what is wrong there, the mend."""


def element_faults(nodes: Sequence[NodeForm], devices: Collection[str]) -> Iterator[Finding]:
    """Elements of the diagram that lead back to themselves, or that are taken for one of the devices."""
    below: dict[str, set[str]] = {node.id: set() for node in nodes}
    for i, node in enumerate(nodes):
        if node.id in devices and node.device != node.id:
            mend = Text(
                f"give it an id of its own, or add 'device: {node.id}' if it is that device",
                f"请另取 id；若就是该设备，请添加“device: {node.id}”",
            )
            yield (
                ("topology", i, "id"),
                Text(f"element {node.id} has the id of a device", f"元件 {node.id} 与设备的 id 相同"),
                mend,
            )
        if node.from_ in below:
            below[node.from_].add(node.id)
        if node.to in below:
            below[node.id].add(node.to)
    for ring in _rings(below):
        i = next(i for i, node in enumerate(nodes) if node.id in ring and (node.from_ or node.to))
        mend = Text(
            "a diagram goes from the grid downwards: correct its 'from' or 'to'",
            "接线图应自电网向下：请改正 from 或 to",
        )
        yield ("topology", i), _way("element", "元件", ring, nodes[i].id), mend


def parent_faults(parents: Sequence[tuple[str, object]]) -> Iterator[Finding]:
    """Devices that stand below themselves; (id, parent) of each in the order of the file."""
    below: dict[str, set[str]] = {id_: set() for id_, _ in parents}
    for id_, parent in parents:
        if isinstance(parent, str) and parent in below:
            below[parent].add(id_)
    for ring in _rings(below):
        i, id_ = next((i, id_) for i, (id_, _) in enumerate(parents) if id_ in ring)
        yield (
            ("devices", i, "parent"),
            _way("device", "设备", ring, id_),
            Text("name what it hangs on as its 'parent'", "请在 parent 中写明其所属上级"),
        )


def _way(en: str, zh: str, ring: list[str], begin: str) -> Text:
    at = ring.index(begin)
    round_ = " → ".join([*ring[at:], *ring[:at], begin])
    return Text(f"{en} {begin} leads back to itself: {round_}", f"{zh} {begin} 回到自身：{round_}")


def _rings(below: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """Each ring once; what leads nowhere is left out until only rings are left."""
    left = dict(below)
    while left:
        ended = [id_ for id_, ends in left.items() if not ends & left.keys()]
        if not ended:
            way = [next(iter(left))]
            while (after := min(left[way[-1]] & left.keys())) not in way:
                way.append(after)
            ended = way[way.index(after) :]
            yield ended
        for id_ in ended:
            del left[id_]
