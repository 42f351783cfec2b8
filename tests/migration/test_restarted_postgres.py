"""A server of PostgreSQL that is restarted at any call: the next one takes a new connection."""

from __future__ import annotations

import psycopg
import pytest
from support.postgres_server import PostgresServer
from support.toy_data import machine_pairs, reversed_letters

from kakehashi.integrations.stores.movable.postgres import PostgresCollection
from kakehashi.migration import clean_up, migrate, roll_back

pytestmark = pytest.mark.slow
TEXTS = list(dict.fromkeys(machine_pairs().target_texts))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = PostgresServer(tmp_path_factory.mktemp("postgres"))
    made.start()
    made.install_pgvector()
    yield made
    made.stop()


@pytest.fixture
def address(server):
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS manual, manual_moved")
        connection.execute("CREATE TABLE manual (id int PRIMARY KEY, content text, e vector(24))")
        rows = enumerate(zip(TEXTS, reversed_letters(TEXTS).tolist(), strict=True))
        values = [(number, text, str(vector)) for number, (text, vector) in rows]
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO manual VALUES (%s, %s, %s)", values)
    return server.url() + "?table=manual&id=id&content=content&vector=e"


@pytest.fixture
def restarted_at(server, monkeypatch):
    """Let a call of a collection find the server restarted, the first time."""

    def prepare(method):
        call, done = getattr(PostgresCollection, method), []

        def restarting(self, *args):
            if not done:
                done.append(method)
                server.stop()
                server.start()
            return call(self, *args)

        monkeypatch.setattr(PostgresCollection, method, restarting)
        return done

    return prepare


@pytest.mark.parametrize("method", ["note", "count", "identity", "finish"])
def test_a_move_goes_on(address, keeping_aligner, restarted_at, method):
    assert migrate(address, keeping_aligner).written == len(TEXTS)
    done = restarted_at(method)
    again = migrate(address, keeping_aligner, switch=True)
    assert (done, again.state, again.rows) == ([method], "live", len(TEXTS))


@pytest.mark.parametrize("method", ["note", "write_note", "count", "rows"])
def test_the_way_back_goes_on(address, keeping_aligner, restarted_at, method):
    migrate(address, keeping_aligner, switch=True)
    done = restarted_at(method)
    assert roll_back(address).only_moved == 0
    if not done:
        clean_up(address, agree=lambda question: True)
    assert done == [method]


@pytest.mark.parametrize("method", ["note", "count", "identity", "drop"])
def test_the_end_goes_on(server, address, keeping_aligner, restarted_at, method):
    migrate(address, keeping_aligner, switch=True)
    done = restarted_at(method)
    cleaned = clean_up(address, agree=lambda question: True)
    assert (done, cleaned.rows) == ([method], len(TEXTS))
    with psycopg.connect(server.url()) as connection:
        left = connection.execute("SELECT to_regclass('manual'), count(*) FROM manual_moved")
        assert left.fetchone() == (None, len(TEXTS))
