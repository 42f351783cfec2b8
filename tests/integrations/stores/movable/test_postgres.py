"""PostgreSQL: what a table is beside its rows is moved, too, and no password is ever shown."""

from contextlib import closing

import numpy as np
import psycopg
import pytest
from support.postgres_server import postgres_url
from support.toy_data import two_views
from support.vector_stores import fresh

import kakehashi
from kakehashi.doctor.examine import examine
from kakehashi.errors import DataError, KakehashiError, ReaderError
from kakehashi.integrations.stores.address import parse_address
from kakehashi.integrations.stores.movable.opening import open_movable
from kakehashi.integrations.stores.movable.postgres import PostgresCollection
from kakehashi.migration import migrate


@pytest.fixture
def sql():
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        yield connection.execute


def rows_of(collection):
    return [row for page in collection.pages() for row in page]


def moved(source, name, dimension=3):
    """Move by turning every vector, and return the new collection."""
    made = source.create_beside(name, dimension)
    for page in source.pages():
        made.write(page, np.stack([np.resize(row.vector[::-1], dimension) for row in page]))
    made.finish()
    return made


ODD = "a\"; DROP TABLE x; -- %s :b '"


def test_columns_types_defaults_indices_and_rights_are_those_of_the_old_table(sql):
    schema, role = fresh(), fresh()
    sql(f"CREATE SCHEMA {schema}")
    sql(f"CREATE ROLE {role}")
    sql(
        f"CREATE TABLE {schema}.docs (id bigserial PRIMARY KEY, node_id varchar, text varchar NOT"
        " NULL, metadata_ json, embedding halfvec(2), words tsvector GENERATED ALWAYS AS"
        " (to_tsvector('english', text)) STORED, price numeric(8, 3) DEFAULT 1.5, at timestamptz,"
        " tags text[], CHECK (price > 0), CHECK (vector_dims(embedding) = 2))"
    )
    sql(f"CREATE INDEX ON {schema}.docs USING gin (words)")
    sql(f"CREATE INDEX ON {schema}.docs USING hnsw (embedding halfvec_cosine_ops) WITH (m = 8)")
    sql(f"CREATE INDEX ON {schema}.docs USING ivfflat (embedding halfvec_l2_ops) WITH (lists = 2)")
    sql(f"CREATE INDEX ON {schema}.docs USING hnsw ((embedding::vector(2)) vector_ip_ops)")
    sql(f"COMMENT ON COLUMN {schema}.docs.embedding IS 'of MiniLM'")
    sql(f"GRANT SELECT, INSERT ON {schema}.docs TO {role}")
    for i in range(5):
        sql(
            f"INSERT INTO {schema}.docs (node_id, text, metadata_, embedding, price, at, tags)"
            " VALUES (%s, %s, %s, %s, %s, now(), %s)",
            [f"n{i}", f"the pumps {i}", '{"page":  1}', f"[{i},1]", i + 0.125, ["a", "b"]],
        )
    address = postgres_url(query=f"?table=docs&schema={schema}")
    with closing(open_movable(address)) as source:
        made = moved(source, ODD)
        assert made.settings == source.settings
        assert made.settings["hnsw"]["(embedding halfvec_cosine_ops)"] == "m='8'"
        assert made.settings["ivfflat"] == {"(embedding halfvec_l2_ops)": "lists='2'"}
        assert [r.untouched for r in rows_of(made)] == [r.untouched for r in rows_of(source)]
        np.testing.assert_array_equal(rows_of(made)[3].vector, [1, 3, 1])
        assert rows_of(made)[0].metadata["page"] == 1
        assert rows_of(made)[0].metadata["tags"] == ["a", "b"]
        made.write_note("{}")
        assert (source.note(), made.note()) == (None, "{}")
    new = f"{schema}." + '"' + ODD.replace('"', '""').replace("%", "%%") + '"'
    same = "id, node_id, text, metadata_::text, words, price, at, tags"
    assert (
        sql(f"SELECT {same} FROM {new} ORDER BY id", []).fetchall()
        == sql(f"SELECT {same} FROM {schema}.docs ORDER BY id").fetchall()
    )
    sql(f"INSERT INTO {new} (node_id, text) VALUES ('x', 'added later')", [])
    assert sql(f"SELECT id, price FROM {new} WHERE node_id = 'x'", []).fetchone() == (6, 1.5)
    has = f"SELECT has_table_privilege('{role}', to_regclass(%s), 'INSERT')"
    assert sql(has, [new.replace("%%", "%")]).fetchone() == (True,)
    with pytest.raises(psycopg.errors.CheckViolation):
        sql(f"INSERT INTO {new} (node_id, text, price) VALUES ('y', 'y', -1)", [])
    sql(f"DROP TABLE {schema}.docs")  # the new one does not lean on it
    sql(f"INSERT INTO {new} (node_id, text) VALUES ('z', 'added later')", [])


def test_a_table_that_cannot_be_moved_whole_is_refused_before_the_first_write(sql):
    twice, secured = fresh(), fresh()
    sql(f"CREATE TABLE {twice} (node_id text, text text, embedding vector(2))")
    sql(f"INSERT INTO {twice} VALUES ('a', 'x', '[1,2]'), ('b', 'y', '[1,2]'), ('a', 'z', '[2,1]')")
    sql(f"CREATE TABLE {secured} (id int PRIMARY KEY, text text, embedding vector(2))")
    sql(f"ALTER TABLE {secured} ENABLE ROW LEVEL SECURITY")
    for name, said in [(twice, "'a' in several rows"), (secured, "row security")]:
        with closing(open_movable(postgres_url(query=f"?table={name}"))) as source:
            new = fresh()
            with pytest.raises(DataError, match=said):
                source.create_beside(new, 3)
            assert source.beside(new) is None
            for bad in ("", "x" * 64, "書" * 22, twice):
                with pytest.raises(DataError, match=r"no name of a table|is taken"):
                    source.create_beside(bad, 3)


def test_an_index_that_cannot_be_built_is_told_before_the_first_write(sql):
    name, new = fresh(), fresh()
    sql(f"CREATE TABLE {name} (id int PRIMARY KEY, text text, embedding vector(2))")
    sql(f"CREATE INDEX ON {name} USING hnsw (embedding vector_l2_ops)")
    with closing(open_movable(postgres_url(query=f"?table={name}"))) as source:
        with pytest.raises(psycopg.Error, match="more than 2000 dimensions for hnsw"):
            source.create_beside(new, 2001)
        assert source.beside(new) is None
        assert source.settings["metric"] == "l2"


def test_ids_that_are_no_texts_and_the_columns_of_a_user(sql):
    name = fresh()
    sql(
        f"CREATE TABLE {name} (key int PRIMARY KEY, title text, body text, other vector(3),"
        ' "Vec" vector(2))'
    )
    sql(f"INSERT INTO {name} VALUES (7, 't', 'the pump', '[1,2,3]', '[1,2]')")
    with pytest.raises(DataError, match=r"which column of .* is the content\? Add &content="):
        open_movable(postgres_url(query=f"?table={name}"))
    with pytest.raises(
        DataError, match=r"is the vector\? Add &vector=COLUMN, one of 'other', 'Vec'"
    ):
        open_movable(postgres_url(query=f"?table={name}&content=body"))
    with pytest.raises(DataError, match="no column 'bodies'; there are: 'key', 'title'"):
        open_movable(postgres_url(query=f"?table={name}&content=bodies&vector=Vec"))
    address = postgres_url(query=f"?table={name}&content=body&vector=Vec")
    with closing(open_movable(address)) as source:
        [row] = rows_of(source)
        assert (row.id, row.text, row.metadata) == ("7", "the pump", {"title": "t"})
        assert parse_address(source.address).columns == {"content": "body", "vector": "Vec"}
        made = moved(source, fresh())
        assert made.rows(["7"])["7"].untouched == row.untouched
    documents = kakehashi.read_index(address)
    assert (documents.texts, documents.ids) == (("the pump",), ("7",))
    np.testing.assert_array_equal(documents.vectors, [[1, 2]])


def test_what_reads_can_write_nothing(sql):
    name = fresh()
    sql(f"CREATE TABLE {name} (id int PRIMARY KEY, text text, embedding vector(2))")
    sql(f"INSERT INTO {name} VALUES (1, 'x', '[1,2]')")
    with closing(open_movable(postgres_url(query=f"?table={name}"))) as source:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), source._reading() as run:
            run(f"DELETE FROM {name}")
        assert source.count() == 1


def test_a_table_that_is_not_named_is_the_only_one_or_listed(sql):
    schema = fresh()
    sql(f"CREATE SCHEMA {schema}")
    with pytest.raises(DataError, match="there are: none"):
        open_movable(postgres_url(query=f"?schema={schema}"))
    sql(f"CREATE TABLE {schema}.a (id int PRIMARY KEY, text text, embedding vector(2))")
    with closing(open_movable(postgres_url(query=f"?schema={schema}"))) as source:
        assert source.name == "the table 'a' of PostgreSQL"
        assert source.dimension == 2
    sql(f"CREATE TABLE {schema}.b (LIKE {schema}.a)")
    with pytest.raises(DataError, match="there are: 'a', 'b'"):
        open_movable(postgres_url(query=f"?schema={schema}"))


SECRET = "s3cret/%:@word"
ADDRESSES = {
    "in its place": "postgres://me:s3cret%2F%25%3A%40word@127.0.0.1:1/db?table=t",
    "as an option": "postgres://me@127.0.0.1:1/db?table=t&password=s3cret%2F%25%3A%40word",
    "of SQLAlchemy": "postgresql+psycopg://me:s3cret%2F%25%3A%40word@127.0.0.1:1/db?table=t",
    "not escaped": "postgres://me:s3cret/%:@word@127.0.0.1:1/db?table=t",
    "of no kind": "postgress://me:s3cret%2F%25%3A%40word@127.0.0.1:1/db?table=t",
    "that Unicode makes a slash of": "postgres://me:s3cret℀word@127.0.0.1:1/db?table=t",
    "and a broken server": "postgres://me:s3cret%2Fword@[bad/db?table=t",
    "of digits, not escaped": "postgres://me:12/s3cretword@127.0.0.1:1/db?table=t",
    "of a question": "postgres://me:12?s3cretword@127.0.0.1:1/db",
    "of a number sign": "postgres://me:12#s3cretword@127.0.0.1:1/db",
    "without slashes": "postgres:me:s3cretword@127.0.0.1:1/db",
    "of a key": "postgres://me@127.0.0.1:1/db?table=t&sslpassword=s3cretword",
    "in capitals": "postgres://me@127.0.0.1:1/db?table=t&Password=s3cretword",
    "of Chroma": "chroma://me:s3cretword@127.0.0.1:1?collection=x",
    "of Qdrant": "qdrant://127.0.0.1:1?collection=x&api_key=s3cretword",
    "and no port": "chroma://me:s3cretword@127.0.0.1:x?collection=x",
    "and no server": "lancedb://me:s3cretword@127.0.0.1:1?collection=x",
    "and a broken server of Qdrant": "qdrant://me:s3cretword@[bad",
    "and a wrong option": "postgres://me:s3cret%2F@127.0.0.1:1/db?table=t&sslmod=x",
}


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
@pytest.mark.parametrize("read", [open_movable, kakehashi.read_index])
def test_a_password_is_never_shown(address, read):
    with pytest.raises(KakehashiError) as caught:
        read(address)
    shown = [str(caught.value), repr(caught.value)]
    assert not any("s3cret" in text or "word" in text for text in shown if "password" not in text)
    assert "s3cret" not in "".join(shown)


def test_results_hold_no_password(sql):
    name = fresh()
    sql(f"CREATE TABLE {name} (id int PRIMARY KEY, text text, embedding vector(2))")
    sql(f"INSERT INTO {name} VALUES (1, 'x', '[1,2]')")
    sql(f"CREATE INDEX ON {name} USING hnsw (embedding vector_cosine_ops)")
    bare = postgres_url(query=f"?table={name}")
    address = bare.replace("postgres@", "postgres:s3cret@")
    with closing(open_movable(address)) as source:
        assert source.settings["metric"] == "cosine"
        assert source.address == bare
    assert kakehashi.read_index(address).name == bare
    assert examine(address).address == bare


def test_an_address_without_its_password_opens_in_this_process():
    parsed = parse_address(ADDRESSES["in its place"])
    assert parsed.text == "postgres://me@127.0.0.1:1/db?table=t"
    assert SECRET not in repr(parsed)
    again = parse_address(parsed.text)
    assert again.parameters["password"] == SECRET
    assert "password" not in parse_address(parsed.text.replace("me@", "you@")).parameters


def test_an_address_may_leave_all_to_libpq_and_takes_its_options():
    parsed = parse_address("postgresql:///?table=a%20b&host=/tmp/x&sslmode=require")
    assert parsed.parameters == {"host": "/tmp/x", "sslmode": "require"}
    assert parse_address(parsed.text) == parsed
    with pytest.raises(DataError, match="give table or collection"):
        parse_address("postgres://h/d?table=a&collection=b")


def test_a_server_that_is_gone_is_told(monkeypatch):
    with pytest.raises(ReaderError, match="cannot be opened: OperationalError: connection failed"):
        open_movable("postgres://me@127.0.0.1:1/db?table=t")


def test_a_move_goes_on_after_the_server_ended_its_connections(sql, aligner, monkeypatch):
    name, n = fresh(), 2500
    x, y, _ = two_views(n, dy=16)
    sql(f"CREATE TABLE {name} (id int PRIMARY KEY, text text, embedding vector(16))")
    with sql(f"SELECT 1 FROM {name}").connection.cursor().copy(f"COPY {name} FROM STDIN") as copy:
        for i, vector in enumerate(y):
            copy.write_row((i, f"段落 {i}", str(vector.tolist())))
    write, calls = PostgresCollection.write, []

    def broken_once(self, rows, vectors):
        calls.append(len(rows))
        if len(calls) == 2:
            sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'kakehashi'"
            )
        write(self, rows, vectors)

    monkeypatch.setattr(PostgresCollection, "write", broken_once)
    said = []
    pairs = kakehashi.Pairs(source_vectors=x[:50], target_texts=[f"段落 {i}" for i in range(50)])
    done = migrate(postgres_url(query=f"?table={name}"), aligner, probe=pairs, say=said.append)
    assert said == ["The store does not answer; trying again for 60 s."]
    assert (done.rows, done.state) == (n, "verified")
    assert sql(f"SELECT count(*), count(DISTINCT id) FROM {name}_moved").fetchone() == (n, n)


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 64, ""])
def test_what_names_no_table_is_refused(sql, name):
    there = fresh()
    sql(f"CREATE TABLE {there} (id int PRIMARY KEY, text text, embedding vector(2))")
    with closing(open_movable(postgres_url(query=f"?table={there}"))) as source:
        for asked in (source.beside, lambda name: source.create_beside(name, 2)):
            with pytest.raises(DataError, match="is no name of a table"):
                asked(name)
