"""Files that are damaged, places that are taken, and two runs into one folder."""

import pyarrow.parquet as pq
import pytest
from support.parquet_files import write_texts
from support.toy_data import reversed_letters

from kakehashi.bulk import embed_parquet
from kakehashi.errors import DataError, ReaderError


@pytest.fixture
def texts(tmp_path):
    return write_texts(tmp_path / "in" / "a.parquet")


@pytest.fixture
def embed(text_aligner):
    """Embed a file by the letters that the aligner was fitted with."""

    def run(source, out):
        return embed_parquet(
            source, out, target_encoder=reversed_letters, aligner=text_aligner.path
        )

    return run


def test_a_damaged_block_is_named(texts, embed, tmp_path):
    written = bytearray(texts.read_bytes())
    column = pq.read_metadata(texts).row_group(1).column(1)
    at = column.dictionary_page_offset or column.data_page_offset
    written[at : at + column.total_compressed_size] = bytes(column.total_compressed_size)
    texts.write_bytes(bytes(written))
    with pytest.raises(ReaderError, match=r"row group 1, rows 0 to 20 cannot be read"):
        embed(texts, tmp_path / "out")


def test_a_damaged_file_of_the_output_is_named(texts, embed, tmp_path):
    out = tmp_path / "out"
    embed(texts, out)
    first = min(out.glob("*.parquet"))
    first.write_bytes(first.read_bytes()[:50])
    with pytest.raises(ReaderError, match=r"is damaged: .* Delete it"):
        embed(texts, out)
    first.unlink()
    assert embed(texts, out).written == 1


def test_places_that_are_taken_are_refused(texts, embed, text_aligner):
    with pytest.raises(DataError, match="is a file"):
        embed(texts.parent, texts)
    before = sorted(path.name for path in text_aligner.path.iterdir())
    with pytest.raises(DataError, match="is the aligner"):
        embed(texts, text_aligner.path)
    assert sorted(path.name for path in text_aligner.path.iterdir()) == before


def test_another_run_that_tidies_up_does_no_harm(texts, embed, tmp_path, monkeypatch):
    out, write, calls = tmp_path / "out", pq.write_table, []

    def tidied(table, file, **options):
        write(table, file, **options)
        calls.append(table)
        if len(calls) == 1:  # another run ends just now
            [part] = out.glob(".*-*.part")
            part.unlink()

    monkeypatch.setattr(pq, "write_table", tidied)
    result = embed(texts, out)
    assert (result.rows, result.blocks) == (90, 5)
    assert len(calls) == 6
