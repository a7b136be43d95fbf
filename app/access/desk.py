"""A door to a running station, of a console or a script: who stands at it, and the services behind the gate."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from app.access.areas import Areas
from app.access.entrance import Chain, Entrance
from app.access.gate import refusal
from app.access.guard import Call, Guarded
from app.access.plain import arguments, fingerprint
from app.access.recorder import Recorder, fail, target_of
from app.access.sessions import Session
from app.model.access import (
    ACTION_NAMES,
    Action,
    Actor,
    Denied,
    NobodySignedIn,
    SecondPersonNeeded,
    Standing,
    permit,
    permit_of,
)
from app.model.audit import AuditEntry, Result
from app.model.clock import SECOND_NS, Clock
from app.model.text import Text

_log = logging.getLogger("gridroom.access")


class Desk:
    """Who stands at one door. Thread-safe. Its own methods ask for nobody: they are how one becomes somebody."""

    def __init__(
        self,
        origin: str,
        entrance: Entrance,
        audit: Chain,
        clock: Clock,
        areas: Callable[[], Areas],
        *,
        second_person: Collection[Action] = (),
    ) -> None:
        self._origin = origin
        self._entrance = entrance
        self._audit = audit
        self._clock = clock
        self._areas = areas
        self._second_person = frozenset(second_person)
        self._session_id = ""
        self._services: Mapping[str, object] = {}
        self._recorder = Recorder(audit)
        if entrance.demo:
            self._session_id = entrance.sign_in_demo(origin).actor.session

    def facade(self, station: object, services: Mapping[str, object]) -> Any:
        """The station as this door sees it: its own methods, and those of its services by name."""
        self._services = {"station": station, "access": self, **services}
        return Guarded("station", station, self, {"access": self, **services})

    def close(self) -> None:
        """Nobody comes by here any more."""
        self._entrance.end(self._session_id, "closed")
        self._recorder.close()

    # -------------------------------------------------------------------------------------------------- who is here

    @permit(None)
    def standing(self) -> Standing:
        """Who is signed in and how things are."""
        session, entrance = self._session(), self._entrance
        register = entrance.register
        common = Standing(
            Actor("", "", self._origin), first_start=entrance.first_start, demo=entrance.demo, version=register.version
        )
        if session is None:
            return common
        limit_s = entrance.sessions.lock_after_s
        role = register.roles.get(session.actor.role)
        left_ns = round(limit_s * SECOND_NS) - (self._clock.monotonic_ns() - session.seen_ns)
        return replace(
            common,
            actor=session.actor,
            label=role.label if role else Text.of(session.actor.role),
            locked=session.locked,
            must_change=session.must_change,
            locks_at=self._clock.now_ns() + left_ns if limit_s else 0,
        )

    @permit(None)
    def why_not(self, method: str, devices: Collection[str] | None = None) -> Text | None:
        """Why `service.method` would be denied now, for these devices; None where it would not. Changes nothing."""
        service, _, name = method.rpartition(".")
        target = self._services.get(service)
        wanted = permit_of(type(target), name) if target is not None else None
        denied = refusal(wanted, self._session(), self._entrance.register, self._areas(), devices)
        return denied.text if denied is not None else None

    @permit(None)
    def sign_in(self, name: str, password: str) -> Future[Standing]:
        """Sign in, over whoever is here: his session ends, what is open on the screen stays. Who is here unlocks so.

        Fails with WrongPassword.
        """
        return self._then(self._entrance.sign_in(name, password, self._origin), self._enter)

    @permit(None)
    def sign_in_demo(self) -> Standing:
        """As the demo engineer. Raises Denied where this is no demo station."""
        return self._enter(self._entrance.sign_in_demo(self._origin))

    @permit(None)
    def name_administrator(self, name: str, password: str) -> Future[Standing]:
        """The first account of this station, signed in at once. Fails with AccountError, WeakPassword."""
        return self._then(self._entrance.name_administrator(name, password, self._origin), self._enter)

    @permit(None)
    def change_password(self, old: str, new: str) -> Future[Standing]:
        """One's own. Fails with WrongPassword, WeakPassword, NobodySignedIn."""
        session = self._session()
        if session is None or session.locked:
            nobody: Future[Standing] = Future()
            nobody.set_exception(NobodySignedIn(Text("nobody is signed in", "无人登录")))
            return nobody
        return self._then(self._entrance.change_password(session, old, new), lambda _: self.standing())

    @permit(None)
    def sign_out(self) -> Standing:
        """The session ends."""
        self._entrance.end(self._session_id)
        self._session_id = ""
        return self.standing()

    @permit(None)
    def lock(self) -> Standing:
        """Its person goes away for a while."""
        if (session := self._session()) is not None:
            self._entrance.lock(session)
        return self.standing()

    @permit(None)
    def touch(self) -> None:
        """Somebody is working here: an idle session locks later."""
        if (session := self._session()) is not None and not session.locked:
            self._entrance.sessions.touch(session)

    @permit(None)
    def confirm(self, method: str, name: str, password: str) -> Future[None]:
        """A second person stands by for the call of `service.method` that has just asked for one: for just those
        arguments, once, within a minute.

        Fails with WrongPassword, and with Denied where it is the same person, or nothing waits for it.
        """
        session = self._session()

        def witness(second: Actor) -> None:
            if session is None or session.actor.name == second.name:
                raise Denied(Text("the second person must be another one", "须由另一人确认"))
            if not self._entrance.sessions.set_witness(session, method, second):
                raise Denied(Text("nothing waits for a second person; do it once more", "没有待确认的操作；请重新操作"))
            self._audit.write(AuditEntry(second, "access.confirm", session.actor.name, details={"method": method}))

        return self._then(self._entrance.verify(name, password, self._origin), witness)

    # ------------------------------------------------------------------------------------------------------ the gate

    def pass_(self, call: Call) -> Any:
        """Let a call through, or raise Denied: told to who asks, to the log and to the audit."""
        session = self._session()
        denied = refusal(call.permit, session, self._entrance.register, self._areas(), call.devices)
        second = None
        if denied is None and call.permit.changes and call.permit.action in self._second_person:
            second, denied = self._second(session, call)
        actor = session.actor if session is not None else Actor("", "", self._origin)
        if denied is not None:
            if not isinstance(denied, SecondPersonNeeded):
                self._tell_denied(actor, call, denied)
            raise denied
        if session is not None and call.permit.action not in (None, Action.VIEW):
            self._entrance.sessions.touch(session)
        run = partial(call.run, who=actor) if call.takes_who else call.run
        return self._recorder.run(actor, call, run, second) if call.permit.changes else run()

    def _second(self, session: Session | None, call: Call) -> tuple[Actor | None, Denied | None]:
        """Who stands by, or why it needs somebody. He must be allowed to do it as well."""
        action = call.permit.action
        sessions, asked = self._entrance.sessions, fingerprint(call.arguments)
        second = sessions.take_witness(session, call.path, asked) if session is not None else None
        if session is None or second is None:
            what = ACTION_NAMES[action] if action is not None else Text(call.path, call.path)
            words = Text(f"to {what.en} needs a second person's confirmation here", f"{what.zh}需要第二人确认")
            return None, SecondPersonNeeded(words, call.path)
        theirs = replace_session(session, second)
        return second, refusal(call.permit, theirs, self._entrance.register, self._areas(), call.devices)

    def _tell_denied(self, actor: Actor, call: Call, denied: Denied) -> None:
        _log.warning("denied: %s for %s at %s: %s", call.path, actor.name or "nobody", actor.origin, denied)
        details = arguments(call.arguments, call.permit.hide)
        self._audit.write(AuditEntry(actor, call.path, target_of(call), Result.DENIED, denied.text.en, details))

    # ------------------------------------------------------------------------------------------------------- sessions

    def _session(self) -> Session | None:
        return self._entrance.sessions.find(self._session_id)

    def _enter(self, session: Session) -> Standing:
        before, self._session_id = self._session(), session.actor.session
        if before is not None:
            same = before.actor.name == session.actor.name
            self._entrance.end(
                before.actor.session, "signed in anew" if same else f"taken over by {session.actor.name}"
            )
        return self.standing()

    def _then(self, future: Future[Any], work: Callable[[Any], Any]) -> Future[Any]:
        """A future of what `work` makes of another's answer."""
        answer: Future[Any] = Future()

        def done(_: Future[Any]) -> None:
            try:
                result = work(future.result())
            except BaseException as error:
                fail(answer, error)
            else:
                with suppress(InvalidStateError):
                    answer.set_result(result)

        future.add_done_callback(done)
        return answer


def replace_session(session: Session, actor: Actor) -> Session:
    """The same session with another person."""
    return Session(actor, session.since, session.seen_ns, session.seen)
