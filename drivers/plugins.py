"""Drivers of others: found by the entry points of installed packages, loaded when a station asks for one.

    [project.entry-points."gridroom.drivers"]
    my-protocol = "my_package:my_driver"

The name is the word in `connection: {driver: ...}`, the object a factory that takes nothing and returns a `Driver`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from app.model.text import Text
from drivers.contract import VERSION, Driver

GROUP: Final = "gridroom.drivers"


class PluginFault(Exception):
    """A plugin that cannot be used: what is wrong with it, and the mend."""

    def __init__(self, what: Text, mend: Text) -> None:
        super().__init__(f"{what}; {mend}")
        self.what = what
        self.mend = mend


def find() -> Mapping[str, Sequence[EntryPoint]]:
    """Name -> the entry points that want it; more than one where packages disagree. Nothing is imported."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        others = found.setdefault(entry.name, [])
        if all(other.value != entry.value for other in others):  # a package may be seen twice on the path
            others.append(entry)
    return found


def package(entry: EntryPoint) -> str:
    """The package that brings an entry point, as messages say it."""
    return f"package {entry.dist.name} {entry.dist.version}" if entry.dist else f"an unknown package ({entry.value})"


def load(name: str, entries: Sequence[EntryPoint]) -> Driver:
    """Import and make the driver of a name. Raises PluginFault, and nothing else, whatever the plugin does."""
    if len(entries) > 1:
        both = " and ".join(sorted(package(entry) for entry in entries))
        raise PluginFault(
            Text(f"driver '{name}' is brought by {both}", f"驱动“{name}”由 {both} 同时提供"),
            Text("uninstall one of them", "请卸载其中之一"),
        )
    (entry,) = entries
    try:
        made = entry.load()()
    except (Exception, SystemExit) as error:  # a plugin may fail in any way, and none may end the station
        what = Text(
            f"driver '{name}' of {package(entry)} cannot be loaded: {type(error).__name__}: {error}",
            f"{package(entry)} 的驱动“{name}”无法加载：{type(error).__name__}：{error}",
        )
        raise PluginFault(what, Text("repair or reinstall the package", "请修复或重新安装该软件包")) from error
    if not isinstance(made, Driver):
        what = Text(
            f"driver '{name}' of {package(entry)} is a {type(made).__name__}, and no drivers.contract.Driver",
            f"{package(entry)} 的驱动“{name}”是 {type(made).__name__}，而不是 drivers.contract.Driver",
        )
        raise PluginFault(
            what,
            Text(
                f"{entry.value} must be a factory that takes nothing and returns one",
                f"{entry.value} 应为不带参数并返回驱动的工厂函数",
            ),
        )
    if made.contract_version != VERSION:
        told = f"version {made.contract_version}" if made.contract_version else "no version"
        theirs = f"第 {made.contract_version} 版" if made.contract_version else "未注明版本的"
        what = Text(
            f"driver '{name}' of {package(entry)} is for {told} of the driver contract; this Gridroom has {VERSION}",
            f"{package(entry)} 的驱动“{name}”适用于{theirs}驱动契约；本 Gridroom 为第 {VERSION} 版",
        )
        raise PluginFault(what, Text("install a version of the package that fits", "请安装与之相符的软件包版本"))
    return made
