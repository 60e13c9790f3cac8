"""Checks PEM texts for mistakes that gRPC does not report.

Given a wrong text, gRPC says only that it cannot connect or listen.
"""

from __future__ import annotations

import os
import ssl

# Names of the three texts: in the client's `Tls`, and in the real server's SSLConfig.
CLIENT_NAMES = ("ca", "certificate", "key")
SERVER_NAMES = ("custom_ca", "server_cert", "server_key")


def pem_problems(
    ca: bytes | None, certificate: bytes | None, key: bytes | None, *, names: tuple[str, str, str]
) -> list[str]:
    """Returns one sentence for each mistake in the PEM texts.

    Args:
      ca: Certificates of authorities; None is not checked, here and below.
      certificate: A chain of certificates.
      key: The private key of the first of them.
      names: Names of the three texts, for the sentences.
    """
    ca_name, certificate_name, key_name = names
    problems = [
        f"`{name}` does not contain a certificate in PEM format."
        for name, content in ((ca_name, ca), (certificate_name, certificate))
        if content is not None and not _is_certificate(content)
    ]
    if not problems and certificate is not None and key is not None:
        problems = _key_problems(certificate_name, certificate, key_name, key)
    return problems


def _is_certificate(content: bytes) -> bool:
    """Returns whether the bytes contain a certificate; gRPC checks whether to trust it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=content.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        return context.cert_store_stats()["x509"] > 0  # certificates before a broken one were loaded
    return True


def _key_problems(certificate_name: str, certificate: bytes, key_name: str, key: bytes) -> list[str]:
    if not hasattr(
        os, "memfd_create"
    ):  # OpenSSL reads only from files, and a private key should not be written to disk
        return []
    descriptor = os.memfd_create("pem")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(certificate.rstrip() + b"\n" + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # accept old and short keys here; gRPC checks them
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=_no_password)
    except _EncryptedError:
        return [f"`{key_name}` is encrypted, which gRPC cannot read. Give the decrypted key."]
    except ssl.SSLError as error:
        if error.reason in ("KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):  # the latter for keys of different types
            return [f"`{key_name}` is not the key of `{certificate_name}`."]
        # OpenSSL gives no reason or one of these when the text has no key; gRPC reports all other errors.
        unreadable = error.reason in (None, "NO_START_LINE", "PEM_LIB")
        return [f"`{key_name}` does not contain a private key in PEM format."] if unreadable else []
    except OSError:  # no /proc
        return []
    finally:
        os.close(descriptor)
    return []


class _EncryptedError(Exception):
    """OpenSSL asks for a password."""


def _no_password() -> str:
    raise _EncryptedError
