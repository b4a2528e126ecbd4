"""Which certificates this process trusts.

Owns joining the input's authorities with the system's. Must not connect anywhere.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from botocore.httpsession import get_cert_path

from compression_jobs.errors import InvalidInput


def write_bundle(pem: str, path: Path) -> Path:
    """Write the system's certificates and some more into one PEM file, as boto3 and requests want it.

    Raises:
        InvalidInput: CABundleInvalid, the text holds no PEM certificate.
    """
    try:
        ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise InvalidInput(
            "CABundleInvalid",
            f"trust.caBundle of the CompressionRuntime holds no readable certificates ({error}); correct it.",
        ) from error
    system = ssl.get_default_verify_paths().cafile or str(get_cert_path(True))
    path.write_text(f"{Path(system).read_text(encoding='utf-8')}\n{pem}\n", encoding="utf-8")
    return path
