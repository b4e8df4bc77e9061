"""Certificates as servers show them by mistake, made by openssl itself, on whatever day that needs."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def certificate(folder: Path, name: str, *, host: str = "127.0.0.1", day: str = "", issuer: Path | None = None) -> Path:
    """A PEM file with certificate and key for `host`, good for a year from `day` on (now, if it is empty).

    It is signed by itself, or by the certificate in `issuer`.
    """
    kind = "IP" if host[:1].isdigit() else "DNS"
    made, key = folder / f"{name}.pem", folder / f"{name}.key"
    signing = ["-CA", str(issuer), "-CAkey", str(issuer)] if issuer else []
    subprocess.run(
        [
            *(["faketime", day] if day else []),
            *("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-days", "365", "-subj", f"/CN={name}", "-addext", f"subjectAltName={kind}:{host}"),
            *("-keyout", str(key), "-out", str(made), *signing),
        ],
        check=True,
        capture_output=True,
    )
    made.write_text(made.read_text() + key.read_text())
    return made
