"""Statements in PostgreSQL, through the engine that a store of a framework has.

A statement names its values as psycopg does, ``%(name)s``, and doubles any other percent sign.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Protocol

_VALUE = re.compile(r"%\((\w+)\)s|%%|:")


class Sql(Protocol):
    """Runs a statement, and returns its rows."""

    def __call__(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run a statement with values by name."""


Transaction = Callable[[], AbstractContextManager[Sql]]
"""Begins a transaction: it is committed at the end, and undone by an error."""


def quoted(*names: str) -> str:
    """Return the name of a table or a column, as a statement holds it, whatever it consists of."""
    return ".".join('"' + name.replace('"', '""').replace("%", "%%") + '"' for name in names)


def literal(value: str) -> str:
    """Return a text as a statement holds it where it can name no value."""
    escaped = value.replace("\\", "\\\\").replace("'", "''").replace("%", "%%")
    return f"E'{escaped}'"


def of_engine(engine: Any) -> Transaction:
    """Return transactions of a synchronous engine of SQLAlchemy."""

    @contextmanager
    def transaction() -> Iterator[Sql]:
        with engine.begin() as connection:
            yield lambda statement, **values: _rows(connection.execute(_text(statement), values))

    return transaction


def of_async_engine(engine: Any, wait: Callable[[Any], Any]) -> Transaction:
    """Return transactions of an asynchronous engine of SQLAlchemy.

    Args:
        wait: runs a coroutine in the event loop of the engine, and returns its result.
    """

    def run(connection: Any, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        return _rows(wait(connection.execute(_text(statement), values)))

    @contextmanager
    def transaction() -> Iterator[Sql]:
        connection = engine.connect()
        wait(connection.start())
        try:
            yield partial(run, connection)
            wait(connection.commit())
        finally:
            wait(connection.close())

    return transaction


def of_connection(connection: Any) -> Transaction:
    """Return transactions of a connection of psycopg."""

    def run(statement: str, **values: Any) -> list[tuple[Any, ...]]:
        cursor = connection.execute(statement, values)
        return [] if cursor.description is None else cursor.fetchall()

    @contextmanager
    def transaction() -> Iterator[Sql]:
        with connection.transaction():
            yield run

    return transaction


def _text(statement: str) -> Any:
    """Return a statement in SQLAlchemy's own form, whose values are ``:name``."""
    from sqlalchemy import text

    def written(found: re.Match[str]) -> str:
        if found[1]:
            return f":{found[1]}"
        return "%" if found[0] == "%%" else r"\:"

    return text(_VALUE.sub(written, statement))


def _rows(result: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in result] if result.returns_rows else []
