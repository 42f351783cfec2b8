"""The address of a table in PostgreSQL: ``postgres://USER@HOST:PORT/DATABASE?table=NAME``.

A password is never part of an address that is printed or written down. One that was given is
remembered by this process alone. libpq's own ways need none in an address: ``PGPASSWORD``, a
``.pgpass`` file, or a service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from ...errors import DataError, MissingExtraError
from .store_address import Address

FORM = "postgres://USER@HOST:PORT/DATABASE?table=NAME"
_COLUMNS = ("id", "content", "vector", "metadata")
_OURS = ("table", "collection", "schema", *_COLUMNS)
_PASSWORDS: dict[tuple[Any, ...], str] = {}
"""By user, server and database."""


@dataclass(frozen=True)
class PostgresAddress(Address):
    """A table, or a collection of LangChain's older PGVector.

    Attributes:
        user, database: None where libpq's own defaults are meant.
        schema: None for the search path of the connection.
        is_table: whether it was named as a table: there may be a collection of that name, too.
        columns: names of columns, by what they hold (``id``, ``content``, ``vector``,
            ``metadata``), as far as they were given.
        libpq: other options, for libpq (``sslmode``, ``host`` of a socket).
    """

    user: str | None = None
    database: str | None = None
    schema: str | None = None
    is_table: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    libpq: Mapping[str, str] = field(default_factory=dict)

    def of_collection(self, name: str) -> PostgresAddress:
        """Return the address of a table in the same database and schema."""
        return replace(self, collection=name, is_table=True).written()

    def written(self) -> PostgresAddress:
        """Return the address with the text that opens it, without a password."""
        host, port = self.server or ("", None)
        place = f"{quote(self.user, safe='')}@" if self.user is not None else ""
        place += f"[{host}]" if ":" in host else host
        place += f":{port}" if port is not None else ""
        options = dict(self.libpq)
        if self.collection is not None:
            options["table" if self.is_table else "collection"] = self.collection
        options |= {} if self.schema is None else {"schema": self.schema}
        options |= self.columns
        database = quote(self.database or "", safe="")
        text = f"postgres://{place}/{database}" + (f"?{urlencode(options)}" if options else "")
        return replace(self, text=text)

    @property
    def parameters(self) -> dict[str, Any]:
        """What a connection of libpq takes, the password among it."""
        host, port = self.server or (None, None)
        named = {
            "host": host,
            "port": port,
            "user": self.user,
            "dbname": self.database,
            "password": _PASSWORDS.get((self.user, self.server, self.database)),
        }
        return {name: value for name, value in named.items() if value is not None} | {**self.libpq}

    def engine_url(self, driver: str = "psycopg") -> str:
        """Return the address as an engine of SQLAlchemy takes it, with the password."""
        from sqlalchemy import URL

        given = self.parameters
        names = {"username": "user", "password": "password", "host": "host", "port": "port"}
        parts = {ours: given.pop(theirs, None) for ours, theirs in names.items()}
        url = URL.create(
            f"postgresql+{driver}", database=given.pop("dbname", None), query=given, **parts
        )
        return str(url.render_as_string(hide_password=False))

    def connection(self) -> Any:
        """Return a connection of psycopg, in which every statement is a transaction.

        Raises:
            MissingExtraError: psycopg is not installed.
            DataError: an option that libpq does not know.
        """
        try:
            import psycopg
        except ImportError as error:
            raise MissingExtraError("psycopg", "postgres") from error
        ours = {"client_encoding": "utf8", "application_name": "kakehashi"}
        try:
            return psycopg.connect(**ours | self.parameters, autocommit=True)
        except psycopg.ProgrammingError as error:
            said = " ".join(str(error).split())
            options = ", ".join(_OURS)
            raise DataError(
                f"{self.text}: {said}; ours are {options}, and any other is libpq's."
            ) from error


def parse_postgres(text: str) -> PostgresAddress:
    """Return the parts of an address.

    Raises:
        DataError: another form. The message holds nothing of a password.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
        if "@" in parts.path + parts.fragment:  # of a password with a slash that was not escaped
            raise ValueError("an @ behind the server")
    except ValueError:
        raise DataError(
            f"An address of PostgreSQL that cannot be read; it is {FORM}. Leave the password out "
            "and set PGPASSWORD, or write its special characters as %2F and the like."
        ) from None  # the error would name what it read
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    password = options.pop("password", None) or (parts.password and unquote(parts.password))
    user = None if parts.username is None else unquote(parts.username)
    server = None if parts.hostname is None else (parts.hostname, port)
    database = unquote(parts.path.strip("/")) or None
    if password:
        _PASSWORDS[user, server, database] = password
    for name in options:
        if "@" in name or "password" in name.lower():
            raise DataError(
                f"An option of an address of PostgreSQL that is not taken; it is {FORM}. The "
                "password of a key (sslpassword) belongs in a service file of libpq: &service=NAME."
            )
    table, collection = options.pop("table", None), options.pop("collection", None)
    address = PostgresAddress(
        "",
        "postgres",
        server=server,
        collection=collection if table is None else table,
        user=user,
        database=database,
        schema=options.pop("schema", None),
        is_table=table is not None,
        columns={name: options.pop(name) for name in _COLUMNS if name in options},
        libpq=options,
    ).written()
    if table is not None and collection is not None:
        raise DataError(f"{address.text}: give table or collection, not both.")
    return address
