"""Tests the checks of PEM texts; every text that gRPC accepts must pass."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from crossnet.serving.protocol.pem import CLIENT_NAMES, SERVER_NAMES, pem_problems
from support.certificates import private_pem, self_signed


def certificate(key, name="models.test"):
    return self_signed(name, key=key)[1]


EC, ED = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
RSA, SHORT = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize("key", [EC, ED, RSA, SHORT], ids=["ec", "ed25519", "rsa", "rsa of 1024 bits"])
def test_every_kind_of_key_passes_with_its_certificate(key):
    assert pem_problems(certificate(key), certificate(key), private_pem(key), names=CLIENT_NAMES) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda pem: pem.replace(b"\n", b"\r\n"),
        lambda pem: b"# of the operations team\n" + pem + b"\n\n",
        lambda pem: pem + certificate(ED, "issuer"),
        lambda pem: pem + b"-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n",
        lambda pem: "für die Modelle\n".encode() + pem,
    ],
    ids=["CRLF", "comments", "a chain", "a broken certificate after it", "umlauts"],
)
def test_text_around_a_certificate_passes(change):
    assert pem_problems(change(certificate(EC)), change(certificate(EC)), private_pem(EC), names=CLIENT_NAMES) == []


def test_old_form_of_a_key_passes():
    old = serialization.PrivateFormat.TraditionalOpenSSL
    assert pem_problems(None, certificate(RSA), private_pem(RSA, old), names=CLIENT_NAMES) == []


@pytest.mark.parametrize(("own", "other"), [(EC, ec.generate_private_key(ec.SECP256R1())), (RSA, EC), (ED, RSA)])
def test_key_of_another_certificate_is_reported(own, other):
    expected = ["`server_key` is not the key of `server_cert`."]
    assert pem_problems(None, certificate(own), private_pem(other), names=SERVER_NAMES) == expected


def test_der_is_not_pem():
    der = EC.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert pem_problems(der, None, None, names=CLIENT_NAMES) == ["`ca` does not contain a certificate in PEM format."]
