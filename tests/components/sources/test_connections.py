import socket

import pytest

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.connections import POSTGRESQL, SQLITE, open_connection
from crossnet.components.sources.queries import rows_of_query

SECRET = "pa ss@word"


def of(connection, folder="", environment=None):
    return open_connection(
        ExampleGenParams(connection=connection, query_folder=str(folder)), {} if environment is None else environment
    )


def test_a_file_is_relative_to_the_folder_unless_it_has_four_slashes(tmp_path):
    (tmp_path / "my rides.db").touch()
    for address in ("sqlite:///my rides.db", "sqlite:///my%20rides.db", f"sqlite:///{tmp_path}/my rides.db"):
        found = of(address, tmp_path)
        assert (found.kind, found.path) == (SQLITE, tmp_path / "my rides.db")


def test_variables_are_filled_in_and_kept_out_of_every_text():
    found = of("postgresql+psycopg://rider:${PW}@db.example:5433/rides", environment={"PW": SECRET})
    assert found.kind == POSTGRESQL
    assert found.url == "postgresql://rider:pa%20ss%40word@db.example:5433/rides?connect_timeout=10"
    assert found.name == "postgresql://db.example:5433/rides"
    assert found.without_secrets(f"no: {SECRET} or pa%20ss%40word") == "no: *** or ***"


def test_an_address_can_stand_in_a_variable_whole():
    address = "postgres://rider:topsecret@db.example/rides?connect_timeout=3&password=other"
    found = of("${DATABASE}", environment={"DATABASE": address})
    assert found.timeout == 3
    assert "topsecret" not in found.name
    assert found.without_secrets("topsecret, other") == "***, ***"


@pytest.mark.parametrize(
    ("address", "error", "sentence"),
    [
        ("mysql://u@h/d", SettingsError, "begins with 'mysql'. Expected .* sqlite:///, duckdb:/// or postgresql://"),
        ("rides.db", SettingsError, "Expected an address that begins with sqlite:///"),
        ("sqlite://rides.db", SettingsError, "Expected sqlite:///FILE with three slashes"),
        ("sqlite:///ridez.db", DataError, r"names `.*ridez.db`, which is not a file. Did you mean `rides.db`\?"),
        ("postgresql://u@h:port/d", SettingsError, "is not an address: its host or port cannot be read"),
        ("postgresql://u:${NOT_SET}@h/d", SettingsError, "the environment variable NOT_SET is not set. Set it"),
    ],
)
def test_an_address_that_is_wrong_is_one_sentence(tmp_path, address, error, sentence):
    (tmp_path / "rides.db").touch()
    with pytest.raises(error, match=sentence):
        of(address, tmp_path)


def test_a_server_that_is_not_there_is_told_without_its_password(tmp_path, monkeypatch):
    pytest.importorskip("adbc_driver_postgresql", reason="the extra sql is not installed")
    monkeypatch.setenv("PW", SECRET)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: refused at once
        address = f"postgresql://rider:${{PW}}@127.0.0.1:{unused.getsockname()[1]}/rides"
        params = ExampleGenParams(source="sql", query="SELECT 1", connection=address)
        refused = pytest.raises(DataError, match="cannot be opened within 10 s: .*refused")
        with refused as caught, rows_of_query(params, tmp_path):
            pass
    assert "ss@word" not in str(caught.value)
    assert "ss%40word" not in str(caught.value)


@pytest.mark.parametrize("address", ["postgresql://u:secret@h/d", "postgresql://u@h/d?password=secret"])
def test_a_password_in_a_config_is_refused_and_not_shown(address):
    problem = "\n".join(ExampleGenParams(source="sql", query="SELECT 1", connection=address).problems())
    assert "`connection` holds a password, which each run would record. Write ${NAME} in its place" in problem
    assert "secret" not in problem
    assert ExampleGenParams(source="sql", query="SELECT 1", connection="postgresql://u:${P}@h/d").problems() == []
