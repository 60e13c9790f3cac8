"""Reads a database's address, and keeps its secrets out of messages.

An address is a URL as SQLAlchemy writes it: `sqlite:///rides.db`, `duckdb:///rides.duckdb` or
`postgresql://user:${PASSWORD}@host/database`. `${NAME}` stands for an environment variable, so that no secret is in a
config file or in what a run keeps.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.serving.protocol.printable import shown
from crossnet.serving.protocol.suggestions import did_you_mean

DUCKDB, SQLITE, POSTGRESQL = "duckdb", "sqlite", "postgresql"
TIMEOUT_SECONDS = 10  # for a server to answer
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Connection:
    """Where a query runs.

    Attributes:
      kind: DUCKDB, SQLITE or POSTGRESQL.
      path: The database's file, where it is one.
      url: PostgreSQL's address, secrets included.
      name: The address for messages, without user, password and options.
      timeout: Seconds in which a server must answer.
      secrets: Texts that stand in no message.
    """

    kind: str
    path: Path | None = None
    url: str = ""
    name: str = ""
    timeout: int = TIMEOUT_SECONDS
    secrets: tuple[str, ...] = ()

    @property
    def packages(self) -> tuple[str, ...]:
        """Modules that connect."""
        return () if self.kind == DUCKDB else ("adbc_driver_manager", f"adbc_driver_{self.kind}")

    def connect(self) -> Any:
        """Opens an ADBC connection; an SQLite file only for reading."""
        if self.kind == SQLITE:
            from adbc_driver_sqlite import dbapi as sqlite

            assert self.path is not None
            return sqlite.connect(f"file:{quote(str(self.path))}?mode=ro")
        from adbc_driver_postgresql import dbapi as postgresql

        return postgresql.connect(self.url)

    def tables(self, cursor: Any) -> list[str]:
        """Returns the names of tables and views, for suggestions."""
        listing = {
            SQLITE: "SELECT name FROM sqlite_master",
            POSTGRESQL: "SELECT table_name FROM information_schema.tables WHERE table_schema NOT IN "
            "('pg_catalog', 'information_schema')",
        }
        try:
            cursor.execute(listing[self.kind])
            return [row[0] for row in cursor.fetchall()]
        except Exception:  # the connection is broken: the error that is told is the first one
            return []

    def refused(self, error: Exception) -> DataError:
        """Returns the sentence for a database that cannot be opened."""
        reason = self.without_secrets(" ".join(str(error).split()))
        limit = f" within {self.timeout} s" if self.kind == POSTGRESQL else ""
        return DataError(
            f"`example_gen.connection` ({shown(self.name, 300)}) cannot be opened{limit}: {shown(reason, 300)}. "
            "Check the address, and that the database can be reached from here."
        )

    def without_secrets(self, text: str) -> str:
        """Returns a driver's text with each secret replaced."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def open_connection(params: ExampleGenParams, environment: Mapping[str, str] = os.environ) -> Connection:
    """Returns where the query of `params` runs; nothing is opened.

    Raises:
      SettingsError: The address has another form, or names a variable that is not set.
      DataError: The database's file is not there.
    """
    if not params.connection:
        return Connection(DUCKDB)
    url, secrets = _filled(params.connection, environment)
    try:
        parts = urlsplit(url)
        server = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        raise SettingsError(
            "`example_gen.connection` is not an address: its host or port cannot be read. Expected the form "
            "postgresql://user:${PASSWORD}@host:5432/database."
        ) from None
    kind = {"postgres": POSTGRESQL}.get(name := parts.scheme.partition("+")[0], name)
    if kind in (DUCKDB, SQLITE):
        return _file(kind, parts.path, server, params)
    if kind != POSTGRESQL:
        raise SettingsError(
            f"`example_gen.connection` begins with '{shown(parts.scheme or url.partition(':')[0][:10])}'. Expected an "
            "address that begins with sqlite:///, duckdb:/// or postgresql://. Export other databases' rows as Parquet."
        )
    options = dict(parse_qsl(parts.query))
    options.setdefault("connect_timeout", str(TIMEOUT_SECONDS))
    timeout = int(options["connect_timeout"]) if options["connect_timeout"].isdecimal() else TIMEOUT_SECONDS
    if parts.password:
        secrets |= {parts.password, unquote(parts.password)}
    secrets |= {options["password"]} if options.get("password") else set()
    return Connection(
        POSTGRESQL,
        url=urlunsplit((POSTGRESQL, parts.netloc, parts.path, urlencode(options), "")),
        name=f"{POSTGRESQL}://{server}{parts.path}",
        timeout=timeout,
        secrets=tuple(secrets),
    )


def _file(kind: str, path: str, server: str, params: ExampleGenParams) -> Connection:
    if server or not path.startswith("/") or path == "/":
        raise SettingsError(
            f"`example_gen.connection` begins with {kind}://. Expected {kind}:///FILE with three slashes, or four "
            "before a path from the root."
        )
    file = Path(params.query_folder, unquote(path[1:])).expanduser()
    if not file.is_file():
        names = [other.name for other in file.parent.iterdir()] if file.parent.is_dir() else []
        raise DataError(
            f"`example_gen.connection` names `{shown(str(file), 300)}`, which is not a file."
            f"{did_you_mean(file.name, names)} Name the database's file."
        )
    return Connection(kind, path=file, name=f"{kind}:///{file}")


def _filled(text: str, environment: Mapping[str, str]) -> tuple[str, set[str]]:
    """Returns an address with its variables filled in, and their values as they stand in it and as they are."""
    secrets: set[str] = set()
    whole = _VARIABLE.fullmatch(text.strip())

    def value(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise SettingsError(
                f"`example_gen.connection` holds ${{{match[1]}}}, and the environment variable {match[1]} is not set. "
                "Set it, and call the command again."
            )
        found = environment[match[1]]
        if whole:
            return found
        secrets.update({found, quote(found, safe="")} - {""})
        return quote(found, safe="")

    return _VARIABLE.sub(value, text.strip()), secrets
