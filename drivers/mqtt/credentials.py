"""How we prove who we are, and who the broker is."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import paho.mqtt.client as paho

from app.model.errors import GridroomError, TransportError
from app.model.secrets import resolve
from app.model.text import Text
from drivers.mqtt.broker_words import at
from drivers.mqtt.connection import Broker, Tls


class Context(ssl.SSLContext):
    """Remembers its latest socket: paho forgets to close the one whose handshake failed."""

    latest: ssl.SSLSocket | None = None

    def wrap_socket(self, sock: socket.socket, *arguments: Any, **more: Any) -> ssl.SSLSocket:
        self.latest = super().wrap_socket(sock, *arguments, **more)
        return self.latest

    def close_latest(self) -> None:
        """No connection came to be."""
        if self.latest is not None:
            self.latest.close()


def give(client: paho.Client, broker: Broker) -> Context | None:
    """Set user, password and TLS. Raises TransportError where a secret or a file is missing."""
    if broker.user is not None:
        client.username_pw_set(broker.user, _secret(broker.password, broker) if broker.password else None)
    if broker.tls is None:
        return None
    context = _context(broker.tls, broker)
    client.tls_set_context(context)
    return context


def _context(tls: Tls, broker: Broker) -> Context:
    """TLS 1.2 or newer; the broker's certificate and name are always verified."""
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if tls.ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(tls.ca)
    except (OSError, ssl.SSLError) as error:
        text = Text(
            f"the authorities in {tls.ca} cannot be read: {error}; correct `ca`",
            f"无法读取 CA 证书 {tls.ca}：{error}；请更正 ca",
        )
        raise TransportError(at(broker, text)) from error
    if tls.cert is not None:
        password = _secret(tls.key_password, broker) if tls.key_password else ""
        try:
            context.load_cert_chain(tls.cert, tls.key, password)
        except (OSError, ssl.SSLError) as error:
            text = Text(
                f"the certificate {tls.cert} with the key {tls.key or tls.cert} cannot be used: {error}; correct `tls`",
                f"证书 {tls.cert} 与密钥 {tls.key or tls.cert} 无法使用：{error}；请更正 tls",
            )
            raise TransportError(at(broker, text)) from error
    return context


def _secret(reference: str, broker: Broker) -> str:
    try:
        return resolve(reference)
    except GridroomError as error:
        raise TransportError(at(broker, error.text)) from error
