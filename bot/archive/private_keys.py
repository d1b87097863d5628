"""The firm's private keys, one for each version of the public key that was given to WeCom."""

import re
from pathlib import Path

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

log = structlog.get_logger(__name__)

FILE = re.compile(r"([0-9]{1,9})\.pem")


class PrivateKeys:
    """The keys of a folder of ``<publickey_ver>.pem``; it is read anew when a version is unknown.

    Args:
        folder: None: there are none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._keys: dict[int, RSAPrivateKey] = {}
        self._seen: frozenset[tuple[str, int]] = frozenset()

    def versions(self) -> frozenset[int]:
        """Return whose keys are there now."""
        self.look()
        return frozenset(self._keys)

    def look(self) -> bool:
        """Read the folder where it has changed; whether it has."""
        seen = frozenset(
            (path.name, path.stat().st_mtime_ns)
            for path in (self._folder.iterdir() if self._folder and self._folder.is_dir() else ())
            if FILE.fullmatch(path.name)
        )
        if seen == self._seen:
            return False
        self._seen = seen
        assert self._folder is not None  # noqa: S101 - else nothing was seen
        self._keys = {}
        for name, _changed_at in seen:
            version = int(name.removesuffix(".pem"))
            if (key := _load(self._folder / name)) is not None:
                self._keys[version] = key
        return True

    def open(self, version: int, random_key: bytes) -> bytes | None:
        """Return the key of one message; None where no key of ours opens it.

        RSA with PKCS#1 v1.5 (path 91774). A wrong key often gives random bytes and no error: what
        is no printable text was not what WeCom encrypted, and no C function may see it.
        """
        if version not in self._keys:
            self.look()
        private = self._keys.get(version)
        if private is None:
            return None
        try:
            key = private.decrypt(random_key, padding.PKCS1v15())
        except ValueError:
            return None
        return key if key and key.isascii() and key.decode("ascii").isprintable() else None


def _load(path: Path) -> RSAPrivateKey | None:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        log.error("archive_private_key_unreadable", file=path.name, error=type(error).__name__)
        return None
    if not isinstance(key, RSAPrivateKey):
        log.error("archive_private_key_unreadable", file=path.name, error="not RSA")
        return None
    return key
