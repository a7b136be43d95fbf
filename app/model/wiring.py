"""What hangs on what: from the grid downwards, so that nothing stands below itself."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence

from app.model.config import NodeForm

Finding = tuple[tuple[Hashable, ...], str, str]
"""Path in the station file, what is wrong there, the mend."""


def element_faults(nodes: Sequence[NodeForm], devices: Collection[str]) -> Iterator[Finding]:
    """Elements of the diagram that lead back to themselves, or that are taken for one of the devices."""
    below: dict[str, set[str]] = {node.id: set() for node in nodes}
    for i, node in enumerate(nodes):
        if node.id in devices and node.device != node.id:
            mend = f"give it an id of its own, or add 'device: {node.id}' if it is that device"
            yield ("topology", i, "id"), f"element {node.id} has the id of a device", mend
        if node.from_ in below:
            below[node.from_].add(node.id)
        if node.to in below:
            below[node.id].add(node.to)
    for ring in _rings(below):
        i = next(i for i, node in enumerate(nodes) if node.id in ring and (node.from_ or node.to))
        mend = "a diagram goes from the grid downwards: correct its 'from' or 'to'"
        yield ("topology", i), f"element {_way(ring, nodes[i].id)}", mend


def parent_faults(parents: Sequence[tuple[str, object]]) -> Iterator[Finding]:
    """Devices that stand below themselves; (id, parent) of each in the order of the file."""
    below: dict[str, set[str]] = {id_: set() for id_, _ in parents}
    for id_, parent in parents:
        if isinstance(parent, str) and parent in below:
            below[parent].add(id_)
    for ring in _rings(below):
        i, id_ = next((i, id_) for i, (id_, _) in enumerate(parents) if id_ in ring)
        yield ("devices", i, "parent"), f"device {_way(ring, id_)}", "name what it hangs on as its 'parent'"


def _way(ring: list[str], begin: str) -> str:
    at = ring.index(begin)
    return f"{begin} leads back to itself: {' → '.join([*ring[at:], *ring[:at], begin])}"


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
