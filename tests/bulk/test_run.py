"""Files of texts or vectors become an index, block by block."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.parquet_files import changed, contents, many_texts, vectors_of, write_texts
from support.toy_data import other_letters, reversed_letters

import kakehashi
from kakehashi.bulk import embed_parquet
from kakehashi.errors import (
    AlignerMismatchError,
    DataError,
    EncoderError,
    EncoderMismatchError,
    ReaderError,
    UncheckedIndexWarning,
    VectorError,
)
from kakehashi.integrations.address_search.searching import search_address
from kakehashi.integrations.stores.movable.opening import open_movable
from kakehashi.retrieval.index_record import KEY, IndexRecord
from kakehashi.retrieval.move_note import NOTE_KEY


@pytest.fixture
def texts(tmp_path):
    return write_texts(tmp_path / "in/a.parquet")


@pytest.fixture
def embed(text_aligner, tmp_path):
    """Embed a file or folder into one folder, by the letters that the aligner was fitted with."""

    def run(source, **options):
        options = {"target_encoder": reversed_letters, "aligner": text_aligner.path, **options}
        return embed_parquet(source, tmp_path / "out", **options)

    return run


def without(source, *columns):
    pq.write_table(pq.read_table(source).drop_columns([*columns]), source, row_group_size=20)
    return source


def test_texts_are_embedded_as_documents_and_other_columns_kept(texts, embed, text_aligner):
    result = embed(texts)
    assert (result.rows, result.left_out, result.blocks, result.written) == (90, 0, 5, 5)
    written, given = pq.read_table(result.out), pq.read_table(texts)
    assert written.drop_columns("vector").equals(given)
    embedded = text_aligner.embed_documents(many_texts(90), modality="target")
    np.testing.assert_allclose(vectors_of(written), embedded, atol=1e-6)
    assert written.schema.field("vector").type == pa.list_(pa.float32(), embedded.shape[1])


def test_the_encoders_own_vectors_are_projected_as_they_are_by_the_aligner(
    tmp_path, embed, text_aligner
):
    source = write_texts(tmp_path / "in.parquet", vectors=True)
    written = pq.read_table(embed(source).out)
    vectors = reversed_letters(many_texts(90))
    expected = text_aligner.project(
        vectors, texts=many_texts(90), modality="target", role="document"
    )
    assert vectors_of(written).tobytes() == expected.tobytes()
    assert written.column_names == pq.read_table(source).column_names


def test_the_folder_is_an_index_that_a_search_takes_with_its_aligner(texts, embed, text_aligner):
    out = embed(texts).out
    record = IndexRecord.from_json(pq.read_schema(next(out.iterdir())).metadata[KEY.encode()])
    assert record.fingerprint == text_aligner.fingerprint
    index = kakehashi.read_index(f"parquet:{out}")
    assert index.texts == tuple(many_texts(90))
    assert index.ids[:2] == ("d0", "d1")
    opened = open_movable(str(out))
    assert opened.record() == record
    assert (opened.count(), opened.dimension) == (90, text_aligner.output_dimension)
    hits = search_address(
        str(out), text_aligner, many_texts(90)[30].lower(), modality="source", k=5, rescore=False
    )
    assert len(hits) == 5


def test_a_note_of_the_inputs_index_is_not_taken_over(texts, embed):
    table = pq.read_table(texts)
    own = {NOTE_KEY.encode(): b"a move", b"pandas": b"{}"}
    pq.write_table(table.replace_schema_metadata(own), texts, row_group_size=20)
    metadata = pq.read_schema(next(embed(texts).out.glob("*.parquet"))).metadata
    assert metadata.keys() == {b"pandas", KEY.encode(), b"kakehashi.bulk"}
    assert b"as target documents, encoded from texts" in metadata[b"kakehashi.bulk"]


def test_a_second_run_writes_only_the_files_that_are_missing(texts, embed):
    out = embed(texts).out
    before = contents(out)
    gone = [*before][1:4:2]
    for name in gone:
        (out / name).unlink()
    (out / ".left-by-a-killed-process.part").touch()
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("*.parquet")}
    assert embed(texts).written == len(gone)
    assert contents(out) == before
    assert {name: (out / name).stat().st_mtime_ns for name in kept} == kept
    assert embed(texts).written == 0


def test_files_that_are_added_to_the_input_are_embedded_by_another_run(texts, embed):
    before = contents(embed(texts.parent).out)
    write_texts(texts.with_name("b.parquet"), 40, first=90)
    result = embed(texts.parent)
    assert (result.rows, result.written) == (130, 2)
    assert before.items() <= contents(result.out).items()


def test_rows_without_a_text_are_left_out_and_counted(texts, embed):
    given = many_texts(90)
    given[3], given[50:80] = None, [" \n"] * 30
    result = embed(changed(texts, text=given))
    assert (result.rows, result.left_out) == (59, 31)
    assert pq.read_table(result.out).column("id")[3].as_py() == "d4"


def test_vectors_need_no_text_unless_the_aligner_reads_texts(tmp_path, embed, keeping_aligner):
    source = without(write_texts(tmp_path / "in.parquet", vectors=True), "text")
    with pytest.warns(UncheckedIndexWarning, match="target_encoder="):
        result = embed(source, aligner=keeping_aligner.path, second_map=True, target_encoder=None)
    assert pq.read_table(result.out).column("text").null_count == 90


def test_an_aligner_that_reads_texts_asks_for_them(tmp_path, embed, ngram_aligner):
    source = write_texts(tmp_path / "in.parquet", vectors=True)
    changed(source, text=[None, *many_texts(90)[1:]])
    with pytest.raises(DataError, match=r"1 rows of .*in\.parquet have none. Leave them out"):
        embed(source, aligner=ngram_aligner.path)
    with pytest.raises(DataError, match="90 rows"):
        embed(without(source, "text"), aligner=ngram_aligner.path)
    assert not (tmp_path / "out").exists()


def test_the_second_map_of_a_keep_aligner_moves_vectors(tmp_path, embed, keeping_aligner):
    source = write_texts(tmp_path / "in.parquet", vectors=True)
    with pytest.raises(DataError, match="--second-map"):
        embed(source, aligner=keeping_aligner.path)
    written = pq.read_table(embed(source, aligner=keeping_aligner.path, second_map=True).out)
    moved = keeping_aligner.as_shared()
    expected = moved.project(reversed_letters(many_texts(90)), modality="target", role="document")
    assert vectors_of(written).tobytes() == expected.tobytes()


def test_another_aligner_is_refused_and_nothing_is_written(texts, embed, keeping_aligner):
    before = contents(embed(texts).out)
    with pytest.raises(AlignerMismatchError, match=r"do not mix\. Name another folder"):
        embed(texts, aligner=keeping_aligner.path)
    assert contents(texts.parents[1] / "out") == before


def test_another_input_is_refused_and_nothing_is_written(texts, embed, tmp_path):
    before = contents(embed(texts).out)
    with pytest.raises(DataError, match=r"holds 5 files that this input does not give, such as a-"):
        embed(write_texts(tmp_path / "other/a.parquet", 70))
    with pytest.raises(DataError, match=r"files that this input does not give"):
        embed(write_texts(tmp_path / "vectors/a.parquet", vectors=True))
    assert contents(tmp_path / "out") == before


def test_a_changed_file_is_embedded_again_once_its_old_rows_are_deleted(texts, embed):
    out = embed(texts).out
    changed(texts, text=[f"{text}!" for text in many_texts(90)])
    with pytest.raises(DataError, match="delete these files, if their input was changed"):
        embed(texts)
    for path in out.glob("a-*.parquet"):
        path.unlink()
    assert embed(texts).written == 5


def test_vectors_of_another_encoder_are_refused(tmp_path, embed, text_aligner):
    source = write_texts(tmp_path / "in.parquet", vectors=True)
    changed(source, vector=list(other_letters(many_texts(90))[:, :24]))
    with pytest.raises(AlignerMismatchError, match="not hold the vectors of the aligner's target"):
        embed(source)
    assert not (tmp_path / "out").exists()


def test_projected_vectors_are_not_projected_again(tmp_path, embed, texts):
    first = embed(texts).out
    moved = first.rename(tmp_path / "moved")
    with pytest.raises(AlignerMismatchError, match="projected already"):
        embed(moved)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda s: s.parent / "none", DataError, "does not exist"),
        (lambda s: (s.parent / "empty").mkdir() or s.parent / "empty", DataError, "no file"),
        (lambda s: without(s, "id"), DataError, "text, metadata, tenant; it needs 'id'"),
        (lambda s: without(s, "text"), DataError, "and 'text' or 'vector'"),
        (lambda s: changed(s, text=range(90)), DataError, "'text' is of int64"),
        (lambda s: changed(s, text=[""] * 90).write_bytes(b"PAR1") and s, ReaderError, "not Par"),
        (lambda s: s.parent.parent / "out", DataError, "does not exist"),
        (lambda s: "s3://bucket/in", DataError, "mount it, or copy it"),
    ],
)
def test_what_cannot_be_read_is_an_error_before_the_first_write(
    make, error, said, texts, embed, tmp_path
):
    with pytest.raises(error, match=said):
        embed(make(texts))
    assert not (tmp_path / "out").exists()


def test_files_of_other_columns_do_not_go_together(texts, embed):
    without(write_texts(texts.with_name("b.parquet")), "tenant")
    with pytest.raises(ReaderError, match=r"b\.parquet has other columns or types than .*a\.parq"):
        embed(texts.parent)


@pytest.mark.parametrize("bad", [None, [1.0, 2.0], [0.0] * 24, [np.nan] * 24])
def test_a_bad_vector_stops_the_run_and_names_its_block(bad, tmp_path, embed):
    source = write_texts(tmp_path / "in.parquet", vectors=True)
    vectors = list(map(list, reversed_letters(many_texts(90)).tolist()))
    vectors[70] = bad
    changed(source, vector=vectors)
    with pytest.raises((DataError, VectorError), match="row group 3, rows 0 to 20: "):
        embed(source)
    assert len(contents(tmp_path / "out")) == 3


def test_the_encoder_is_that_of_the_training(texts, embed):
    with pytest.raises(EncoderMismatchError):
        embed(texts, target_encoder=other_letters)
    with pytest.raises(EncoderError, match="--target-encoder"):
        embed(texts, target_encoder=None)


@pytest.mark.parametrize("as_text", [False, True])
def test_documents_of_the_source_are_refused(as_text, texts, embed):
    """Their vectors are projected ones, and their texts are those of another encoder."""
    about = [{"modality": "source" if row == 70 else "target"} for row in range(90)]
    table = pq.read_table(texts)
    written = pa.array(list(map(json.dumps, about)) if as_text else about)
    at = table.column_names.index("metadata") if "metadata" in table.column_names else None
    table = table.drop_columns("metadata") if at is not None else table
    pq.write_table(table.append_column("metadata", written), texts, row_group_size=20)
    with pytest.raises(DataError, match=r"row group 3.* 1 rows are documents of the source"):
        embed(texts)


def test_out_is_not_the_input(texts, embed, text_aligner):
    with pytest.raises(DataError, match="is the input"):
        embed_parquet(texts.parent, texts.parent, aligner=text_aligner.path)


def test_a_block_is_a_part_of_a_large_row_group(tmp_path, embed, monkeypatch):
    monkeypatch.setattr("kakehashi.bulk.blocks.BLOCK_ROWS", 32)
    monkeypatch.setattr("kakehashi.bulk.reader.BLOCK_ROWS", 32)
    source = write_texts(tmp_path / "in.parquet", vectors=True, rows=80)
    result = embed(source)
    assert (result.blocks, result.rows) == (4, 90)
    whole = pq.read_table(result.out)
    assert whole.column("id").to_pylist() == [f"d{row}" for row in range(90)]
    second = sorted(result.out.iterdir())[1]
    second.unlink()
    assert embed(source).written == 1
    assert pq.read_table(result.out).equals(whole)
