"""Looks into PEM texts before gRPC does, which says of a wrong one only that it cannot connect or listen."""

from __future__ import annotations

import os
import ssl

# What the three parts are called: by the client, and in the real server's SSLConfig.
CLIENT_NAMES = ("ca", "certificate", "key")
SERVER_NAMES = ("custom_ca", "server_cert", "server_key")


def pem_problems(
    ca: bytes | None, certificate: bytes | None, key: bytes | None, *, names: tuple[str, str, str]
) -> list[str]:
    """Returns what is wrong with some PEM texts, one sentence each.

    Args:
      ca: Certificates of authorities; None is left out, here and below.
      certificate: A chain of certificates.
      key: The private key of the first of them.
      names: What the three are called.
    """
    ca_name, certificate_name, key_name = names
    problems = [
        f"`{name}` holds no certificate in PEM."
        for name, content in ((ca_name, ca), (certificate_name, certificate))
        if content is not None and not _is_certificate(content)
    ]
    if not problems and certificate is not None and key is not None:
        problems = _key_problems(certificate_name, certificate, key_name, key)
    return problems


def _is_certificate(content: bytes) -> bool:
    """Whether there is a certificate in some bytes; whether it is one to trust is gRPC's affair."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=content.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        return context.cert_store_stats()["x509"] > 0  # those before a broken one were taken
    return True


def _key_problems(certificate_name: str, certificate: bytes, key_name: str, key: bytes) -> list[str]:
    if not hasattr(os, "memfd_create"):  # OpenSSL reads from files, and a key should not go to a disk for this
        return []
    descriptor = os.memfd_create("pem")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(certificate.rstrip() + b"\n" + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # an old or short key is gRPC's affair
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=_no_password)
    except _EncryptedError:
        return [f"`{key_name}` is encrypted, which gRPC cannot read: give it decrypted."]
    except ssl.SSLError as error:
        if error.reason in ("KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):  # the latter: keys of another kind
            return [f"`{key_name}` is not the key of `{certificate_name}`."]
        # OpenSSL gives no reason, or this one, where it finds nothing to read; any other is left to gRPC.
        unreadable = error.reason in (None, "NO_START_LINE", "PEM_LIB")
        return [f"`{key_name}` holds no private key in PEM."] if unreadable else []
    except OSError:  # no /proc
        return []
    finally:
        os.close(descriptor)
    return []


class _EncryptedError(Exception):
    """OpenSSL asks for a password."""


def _no_password() -> str:
    raise _EncryptedError
