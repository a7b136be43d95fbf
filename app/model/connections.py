"""What is said of any connection, whatever its driver: where its files are, and which of its keys are secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

SECRET_KEYS: Final = ("password", "token", "secret", "passphrase", "api_key")
OF_ANY_DRIVER: Final = ("unit", "timeout", "gap")
"""Keys that stay when a device is reached by another protocol."""
_TLS_FILES: Final = ("ca", "cert", "certificate", "key")
"""Keys of a connection's `tls` that name a file."""


def with_tls_files(connection: dict[str, Any], directory: Path) -> dict[str, Any]:
    """The connection with the files of its `tls` in the station's folder, from wherever the program was started."""
    tls = connection.get("tls")
    if not isinstance(tls, dict):
        return connection
    names = {key: tls[key] for key in _TLS_FILES if isinstance(tls.get(key), str) and tls[key]}
    return connection | {"tls": tls | {key: str(directory / name) for key, name in names.items()}}
