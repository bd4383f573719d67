"""Certificates for tests, made with the ``openssl`` program."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_LONGEST_S = 60


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: Path
    key: Path


def authority(folder: Path, name: str = "authority") -> Pair:
    """Make a certificate authority."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = _pair(folder, name)
    _openssl(
        "req", "-x509", *_new_key(pair), "-out", pair.certificate, "-days", "2",
        "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign",
    )  # fmt: skip
    return pair


def signed(by: Pair, folder: Path, name: str, alternatives: str) -> Pair:
    """Make a certificate that an authority signed.

    Args:
        by: the authority.
        folder: where to.
        name: common name, and name of the files.
        alternatives: subject alternative names, as openssl writes them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pair = _pair(folder, name)
    _openssl(
        "req", "-x509", *_new_key(pair), "-out", pair.certificate, "-days", "2",
        "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternatives}",
        "-addext", "basicConstraints=critical,CA:FALSE",
        "-CA", by.certificate, "-CAkey", by.key,
    )  # fmt: skip
    return pair


def encrypted_key(pair: Pair, folder: Path) -> Path:
    """Copy a key, encrypted with a password."""
    path = folder / "encrypted.key"
    _openssl(
        "pkey", "-in", pair.key, "-aes256", "-passout", "pass:secret", "-out", path
    )
    return path


def _pair(folder: Path, name: str) -> Pair:
    return Pair(folder / f"{name}.crt", folder / f"{name}.key")


def _new_key(pair: Pair) -> tuple[str | Path, ...]:
    return (
        "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc",
        "-keyout", pair.key,
    )  # fmt: skip


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(
        ["openssl", *map(str, arguments)],
        check=True,
        capture_output=True,
        timeout=_LONGEST_S,
    )
