"""The gate: the one function that every service method asks with who, what and where. What is not allowed is denied."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from app.access.accounts import Register
from app.access.areas import Areas
from app.access.roles import NOBODY
from app.access.sessions import Session
from app.model.access import ACTION_NAMES, WHOLE_STATION, Action, Denied, Grant, NobodySignedIn, Permit
from app.model.text import Text

_SIGN_IN: Final = Text("sign in first", "请先登录")


def refusal(
    permit: Permit | None, session: Session | None, register: Register, areas: Areas, devices: Iterable[str] | None
) -> Denied | None:
    """Why a method may not be called by a session (None: nobody), at these devices (None: the whole station).

    None where it may. `devices` empty: it touches none, and the action is enough. No permit: denied to everybody.
    """
    if permit is None:
        return Denied(Text("this is not for anybody outside", "此功能不对外开放"))
    action = permit.action
    if action is None:
        return None
    if session is None or session.locked or session.must_change:
        if _allows(NOBODY, action, areas, devices):
            return None
        return _nobody(session)
    grants = register.grants(session.actor.role)
    if _allows(grants, action, areas, devices):
        return None
    return Denied(_words(session, action, register, devices if any(grant.action is action for grant in grants) else ()))


def _allows(grants: Iterable[Grant], action: Action, areas: Areas, devices: Iterable[str] | None) -> bool:
    where = {grant.area for grant in grants if grant.action is action}
    if WHOLE_STATION in where:
        return True
    if not where or devices is None:
        return False
    return all(areas.of(device) & where for device in devices)


def _nobody(session: Session | None) -> Denied:
    if session is None:
        return NobodySignedIn(Text(f"nobody is signed in; {_SIGN_IN.en}", f"无人登录；{_SIGN_IN.zh}"))
    name = session.actor.name
    if session.locked:
        return NobodySignedIn(
            Text(f"the session of {name} is locked; sign in to go on", f"{name} 的会话已锁定；请登录后继续")
        )
    return NobodySignedIn(Text(f"{name} must change the password first", f"{name} 须先修改密码"))


def _words(session: Session, action: Action, register: Register, devices: Iterable[str] | None) -> Text:
    """Who may not do what, where, and which roles could."""
    role = register.roles.get(session.actor.role)
    label = role.label if role else Text.of(session.actor.role)
    able = [one.label for one in register.roles.values() if Grant(action) in one.grants]
    where = "" if not devices else ", ".join(devices)
    at = Text(f" at {where}", f"（{where}）") if where else Text("", "")
    what = ACTION_NAMES[action]
    return Text(
        f"the role {label.en} may not {what.en}{at.en}; this may: {', '.join(one.en for one in able)}",
        f"角色“{label.zh}”无权{what.zh}{at.zh}；有权的角色：{'、'.join(one.zh for one in able)}",
    )
