"""Settings of a client are checked before a call, and reach gRPC."""

from __future__ import annotations

import inspect
import re

import grpc
import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization

from crossnet.serving.client import PredictionClient
from crossnet.serving.client.aio import AsyncPredictionClient
from crossnet.serving.client.connection import CHANNEL_OPTIONS, BaseClient, Tls
from crossnet.serving.status import DeadlineError, UnavailableError, UsageError, advice_when_unavailable
from support.certificates import private_pem, self_signed
from support.fake_server import XS, FakeServer
from support.serving_fixtures import wait_until

ONE = {"x0": [0.5], "x1": [1.0], "x2": [1.5]}


@pytest.mark.parametrize(
    "target",
    [
        "localhost:8500",
        "10.0.0.1:8500",
        "[::1]:8500",
        "unix:/tmp/s",
        "dns:///models:8500",
        "ipv4:127.0.0.1:1",
        "unix:/tmp/s:99999",
        "unix-abstract:s:99999",
        "dns:models:8500",
        "dns://8.8.8.8/models:8500",
        "models.example.org:8500",
        "ipv4:127.0.0.1:1,127.0.0.2:1",
        "ipv6:[::1]:1,[::2]:1",
    ],
)
def test_targets_of_grpc_are_taken(target):
    PredictionClient(target).close()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"target": "localhost"}, "`target` must be host:port or unix:/path; received 'localhost'."),
        ({"target": "http://localhost:8501"}, "received 'http://localhost:8501'. REST has another port than gRPC."),
        ({"target": "dns:///"}, "`target` must be host:port or unix:/path; received 'dns:///'."),
        ({"target": "ipv4:1.2.3"}, "`target` must be host:port or unix:/path; received 'ipv4:1.2.3'."),
        ({"target": "ipv4:name:1"}, "`target` must be host:port or unix:/path; received 'ipv4:name:1'."),
        ({"target": "localhost:١٢"}, "`target` must be host:port or unix:/path; received 'localhost:١٢'."),
        ({"target": "localhost:99999"}, "`target` has port 99999; the largest is 65535."),
        ({"target": "h\udcff:1"}, r"`target` must be Unicode text; received 'h\udcff:1'."),
        ({"model_name": ""}, "`model_name` must not be empty."),
        ({"model_name": "\udcff"}, r"`model_name` must be Unicode text; received '\udcff'."),
        ({"label": "\udcff"}, r"`label` must be Unicode text; received '\udcff'."),
        ({"version": 2**63}, "`version` must be from 0 to 9223372036854775807; received 9223372036854775808."),
        ({"version": -1}, "`version` must be from 0 to 9223372036854775807; received -1."),
        ({"version": 3, "label": "stable"}, "`version` and `label` exclude each other; received 3 and 'stable'."),
        ({"timeout_seconds": 0}, "`timeout_seconds` must be above zero; received 0."),
        ({"timeout_seconds": float("nan")}, "`timeout_seconds` must be above zero; received nan."),
        ({"max_rows_per_call": 0}, "`max_rows_per_call` and `max_in_flight` must be at least 1; received 0 and 4."),
        ({"tls": Tls(certificate=b"x")}, "TLS needs `certificate` and `key` together"),
        ({"tls": Tls(ca="no/such.pem")}, "Cannot read the PEM file `no/such.pem`: No such file or directory."),
    ],
)
@pytest.mark.parametrize("client", [PredictionClient, AsyncPredictionClient])
def test_wrong_settings_are_told(client, settings, sentence):
    with pytest.raises(UsageError) as caught:
        client(**settings)
    assert sentence in str(caught.value)
    assert caught.value.exit_code == 2


def test_calls_take_turns_over_the_addresses_of_a_target():
    first, second = FakeServer(XS), FakeServer(XS)
    with first.running() as one, second.running() as two:
        both = f"{one},{two}".replace("localhost", "127.0.0.1")
        with PredictionClient(f"ipv4:{both}") as client:
            wait_until(lambda: client.predict(ONE) and first.requests and second.requests)
            before = len(first.requests), len(second.requests)
            for _ in range(20):
                client.predict(ONE)
    assert (len(first.requests) - before[0], len(second.requests) - before[1]) == (10, 10)


def test_wrong_settings_are_told_at_once():
    with pytest.raises(UsageError, match=r"`target` must be .* `timeout_seconds` must be above zero"):
        PredictionClient("localhost", timeout_seconds=-1)


def test_both_clients_have_one_surface():
    def surface(client):
        return {
            name: inspect.signature(member)
            for name, member in vars(client).items()
            if not name.startswith("_") and callable(member)
        }

    sync, aio = surface(PredictionClient), surface(AsyncPredictionClient)
    assert {n: s.parameters for n, s in sync.items()} == {n: s.parameters for n, s in aio.items()}
    assert {n: s.return_annotation for n, s in sync.items()} == {n: s.return_annotation for n, s in aio.items()}
    assert inspect.signature(PredictionClient) == inspect.signature(AsyncPredictionClient)
    assert set(sync) == {"predict", "metadata", "status", "wait_ready", "close"}


def test_every_setting_is_documented():
    documented = re.findall(r"^ *(\w+):", BaseClient.__doc__ or "", re.MULTILINE)
    assert set(inspect.signature(BaseClient).parameters) <= set(documented)


def test_messages_of_any_size_pass_in_both_directions():
    options = dict(CHANNEL_OPTIONS)
    assert options["grpc.max_send_message_length"] == options["grpc.max_receive_message_length"] == -1
    with FakeServer(XS).running() as target, PredictionClient(target, max_rows_per_call=10**7) as client:
        column = np.arange(2_000_000, dtype=np.float32)  # 24 MB there, 8 MB back
        assert (client.predict(dict.fromkeys(XS, column)).values == column).all()


def test_headers_go_with_each_call():
    server = FakeServer(XS)
    with server.running() as target, PredictionClient(target, headers={"Authorization": "Bearer me"}) as client:
        client.predict(ONE)
    assert all(("authorization", "Bearer me") in sent for sent in server.metadata_sent)
    assert len(server.metadata_sent) == 2


def test_unix_socket_is_a_target(tmp_path):
    address = f"unix:{tmp_path}/socket"
    with FakeServer(XS).running(address) as target, PredictionClient(target) as client:
        assert client.predict(ONE).values.tolist() == [0.5]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A certificate for localhost with its key, signed by itself, as files."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = self_signed("models.test", "127.0.0.1")
    (folder / "key.pem").write_bytes(key)
    (folder / "cert.pem").write_bytes(certificate)
    return folder


def encrypted(key):
    return private_pem(serialization.load_pem_private_key(key, None), password=b"secret")


@pytest.mark.parametrize(
    ("tls", "sentence"),
    [
        (lambda cert, key: Tls(b"no certificate"), "`ca` does not contain a certificate in PEM format."),
        (lambda cert, key: Tls(key), "`ca` does not contain a certificate in PEM format."),
        (
            lambda cert, key: Tls(key, key, cert),
            "`ca` does not .* PEM format. `certificate` does not contain a certificate in PEM format.",
        ),
        (lambda cert, key: Tls(cert, cert, cert), "`key` does not contain a private key in PEM format."),
        (lambda cert, key: Tls(cert, cert, encrypted(key)), "`key` is encrypted, which gRPC cannot read"),
        (lambda cert, key: Tls(cert, cert, self_signed("other")[0]), "`key` is not the key of `certificate`."),
    ],
)
def test_part_of_tls_that_is_not_what_it_should_be_is_told_before_any_call(certificates, tls, sentence):
    cert, key = ((certificates / name).read_bytes() for name in ("cert.pem", "key.pem"))
    with pytest.raises(UsageError, match=sentence):
        PredictionClient(tls=tls(cert, key))


def server_credentials(folder, mutual):
    pair = [((folder / "key.pem").read_bytes(), (folder / "cert.pem").read_bytes())]
    ca = (folder / "cert.pem").read_bytes() if mutual else None
    return grpc.ssl_server_credentials(pair, ca, mutual)


def test_tls_from_paths(certificates):
    tls = Tls(ca=certificates / "cert.pem", server_name="models.test")
    with (
        FakeServer(XS).running(credentials=server_credentials(certificates, False)) as target,
        PredictionClient(target, tls=tls) as client,
    ):
        assert client.predict(ONE).values.tolist() == [0.5]


def test_mutual_tls_from_bytes(certificates):
    cert, key = ((certificates / name).read_bytes() for name in ("cert.pem", "key.pem"))
    with FakeServer(XS).running(credentials=server_credentials(certificates, True)) as target:
        with PredictionClient(target, tls=Tls(cert, cert, key, "models.test")) as client:
            assert client.predict(ONE).values.tolist() == [0.5]
        with (
            PredictionClient(target, tls=Tls(cert, server_name="models.test"), timeout_seconds=1) as client,
            pytest.raises(UnavailableError, match="was not available within 1 s"),
        ):
            client.predict(ONE)


@pytest.mark.parametrize(
    ("server_has_tls", "host", "tls", "advice"),
    [
        (True, "127.0.0.1", None, "Socket closed. If the server uses TLS, give `tls`"),
        (True, "localhost", Tls("cert.pem"), "certificate is for another name: .* give it as `server_name`"),
        (True, "127.0.0.1", Tls(), "is not signed by an authority in `ca`"),
        (False, "localhost", Tls("cert.pem"), "The server does not use TLS on this port: leave `tls` out, or check"),
    ],
)
def test_connection_that_fails_for_tls_is_told_by_calls_and_while_waiting(
    certificates, monkeypatch, server_has_tls, host, tls, advice
):
    monkeypatch.chdir(certificates)
    credentials = server_credentials(certificates, False) if server_has_tls else None
    with (
        FakeServer(XS).running(credentials=credentials) as target,
        PredictionClient(target.replace("localhost", host), tls=tls) as client,
    ):
        with pytest.raises(UnavailableError, match=advice):
            client.predict(ONE, timeout_seconds=2)
        with pytest.raises(DeadlineError, match=f"was not ready within 2 s: .*{advice}"):
            client.wait_ready(2)


def test_name_that_no_host_has_is_told():
    words = "errors resolving no.such.host.invalid:8500: [address lookup failed: Domain name not found]"  # gRPC's
    assert advice_when_unavailable(words) == "The host name cannot be resolved: check the address."
