"""How we prove who we are, and who the broker is."""

from __future__ import annotations

import ssl

import paho.mqtt.client as paho

from app.model.errors import GridroomError, TransportError
from app.model.secrets import resolve
from drivers.mqtt.connection import Broker, Tls


def give(client: paho.Client, broker: Broker) -> None:
    """Set user, password and TLS. Raises TransportError where a secret or a file is missing."""
    if broker.user is not None:
        client.username_pw_set(broker.user, _secret(broker.password, broker) if broker.password else None)
    if broker.tls is not None:
        client.tls_set_context(_context(broker.tls, broker))


def _context(tls: Tls, broker: Broker) -> ssl.SSLContext:
    """TLS 1.2 or newer; the broker's certificate and name are always verified."""
    try:
        context = ssl.create_default_context(cafile=tls.ca)
    except (OSError, ssl.SSLError) as error:
        raise TransportError(f"{broker.place}: the authorities in {tls.ca} cannot be read: {error}") from error
    if tls.cert is not None:
        password = _secret(tls.key_password, broker) if tls.key_password else ""
        try:
            context.load_cert_chain(tls.cert, tls.key, password)
        except (OSError, ssl.SSLError) as error:
            what = f"the certificate {tls.cert} with the key {tls.key or tls.cert} cannot be used: {error}"
            raise TransportError(f"{broker.place}: {what}") from error
    return context


def _secret(reference: str, broker: Broker) -> str:
    try:
        return resolve(reference)
    except GridroomError as error:
        raise TransportError(f"{broker.place}: {error}") from error
