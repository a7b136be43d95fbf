"""What came and was not yet handed over, within bounds."""

from __future__ import annotations

from typing import Final

from drivers.mqtt.rows import Message

MOST: Final = 20_000
MOST_BYTES: Final = 64 * 1024 * 1024


class Inbox:
    """Messages in order of arrival. Full, it loses the oldest of QoS 0 first; of QoS 1 none: they stay at the broker.

    Nobody reads from the socket while it is full of QoS 1, so it can only be passed by the messages at hand.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._messages: list[Message] = []
        self._bytes = 0
        self._light = 0
        """Of QoS 0."""
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def full(self) -> bool:
        """Whether the socket must wait: only what may not be lost is in here."""
        return self._over and not self._light

    @property
    def _over(self) -> bool:
        return len(self._messages) >= self._most or self._bytes >= self._most_bytes

    def add(self, message: Message) -> None:
        if self._over and self._light:
            self._make_room()
        self._messages.append(message)
        self._bytes += len(message.payload)
        self._light += not message.qos

    def take(self) -> list[Message]:
        """All of it."""
        messages, self._messages = self._messages, []
        self._bytes = self._light = 0
        return messages

    def _make_room(self) -> None:
        """Half of the QoS 0 messages go, the oldest: one at a time would move the whole list each time."""
        going = -(-self._light // 2)
        kept = []
        for message in self._messages:
            if going and not message.qos:
                going -= 1
                self.dropped += 1
                self._light -= 1
                self._bytes -= len(message.payload)
            else:
                kept.append(message)
        self._messages = kept
