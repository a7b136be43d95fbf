"""Secrets sealed with a key file: AES-256-GCM, bound to station and name, so that none can stand for another."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.model.errors import GridroomError
from app.model.text import Text

KEY_FILE: Final = "GRIDROOM_KEY_FILE"
"""The environment may name another key file, such as one that a service manager hands out."""
_BITS: Final = 256
_NONCE_BYTES: Final = 12
"""NIST SP 800-38D, 8.2.2: random, 96 bits."""
_LARGEST_FILE: Final = 4096


def key_path(data: Path) -> Path:
    """Beside the data folder, not in it: a copy of the folder opens nothing."""
    named = os.environ.get(KEY_FILE)
    return Path(named) if named else data.with_name(f"{data.name}.key")


def seal(key: bytes, station: str, name: str, value: str) -> bytes:
    """Nonce and sealed secret."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, value.encode(), _bound(station, name))


def unseal(key: bytes, station: str, name: str, sealed: bytes) -> str:
    """Raises GridroomError where it was sealed with another key, for another station or name, or was changed."""
    nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, rest, _bound(station, name)).decode()
    except (InvalidTag, ValueError) as error:
        text = Text(
            "it was changed, or sealed with another key; put the right key file back, or set the secret again",
            "内容被更改，或由另一密钥封存；请放回正确的密钥文件，或重新设置该密钥",
        )
        raise GridroomError(text) from error


def read_key(path: Path) -> bytes:
    """Raises GridroomError where it is missing, is no key, or others may read it."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(_LARGEST_FILE)
        if os.name == "posix" and mode & 0o077:
            text = Text(
                f"key file {path} may be read by others (mode {mode:o}); run: chmod 600 {path}",
                f"密钥文件 {path} 可被他人读取（权限 {mode:o}）；请执行：chmod 600 {path}",
            )
            raise GridroomError(text)
        key = base64.b64decode(content.strip(), validate=True)
    except FileNotFoundError as error:
        text = Text(
            f"key file {path} is missing; put it back, or set the secret again",
            f"密钥文件 {path} 不存在；请放回，或重新设置该密钥",
        )
        raise GridroomError(text) from error
    except OSError as error:
        why = error.strerror or str(error)
        text = Text(
            f"key file {path} cannot be read: {why}; give this user the right", f"无法读取密钥文件 {path}：{why}"
        )
        raise GridroomError(text) from error
    except binascii.Error:
        key = b""
    if len(key) * 8 != _BITS:
        text = Text(
            f"{path} holds no key; put the right file back",
            f"{path} 不是密钥文件；请放回正确的文件",
        )
        raise GridroomError(text)
    return key


def make_key(path: Path) -> bytes:
    """A new key file, for this user alone. Raises GridroomError where it cannot be made; never replaces one."""
    key = AESGCM.generate_key(_BITS)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        why = error.strerror or str(error)
        text = Text(
            f"key file {path} cannot be made: {why}; name another place in {KEY_FILE}",
            f"无法创建密钥文件 {path}：{why}；请用环境变量 {KEY_FILE} 指定其他位置",
        )
        raise GridroomError(text) from error
    return key


def _bound(station: str, name: str) -> bytes:
    return f"{station}\0{name}".encode()
