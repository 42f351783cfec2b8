"""A multi aligner: Japanese and shorthand, each by its own aligner, in the index of English."""

import asyncio
import json
import shutil
from dataclasses import replace
from importlib.resources import files

import chromadb
import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.schema import TextNode
from support.frameworks import brute_force
from support.inner_fit import inner_fit
from support.once import make_once
from typer.testing import CliRunner

import kakehashi
from kakehashi import Aligner, MultiAligner
from kakehashi.cli import app
from kakehashi.errors import (
    AlignerMismatchError,
    BundleError,
    BundleTamperedError,
    DataError,
    NotAdvisedWarning,
)
from kakehashi.integrations import chroma, langchain, llama_index
from kakehashi.retrieval.multi_calibration import combine_calibrations
from kakehashi.routing.router import ScriptRouter

QUERIES = {
    "ja": "部品の値を変更します。",
    "short": "chng th vl f th symbl",
    "en": "Change the value of the symbol.",
}


def shorthand(text):
    """Write as mechanics do: without the vowels within words."""
    words = text.lower().split()
    return " ".join(w[0] + "".join(c for c in w[1:] if c not in "aeiou") for w in words)


@pytest.fixture(scope="module")
def short_aligner(use, minilm, run_folder, vector_cache):
    """Shorthand by USE into the space of English by MiniLM; other rows than Japanese has."""
    path = files("kakehashi") / "demo" / "kicad_ja_en.jsonl"
    pairs = kakehashi.read_pairs(str(path), on_invalid="drop").select(range(4, 1350, 9))
    english = pairs.target_texts
    shorts = kakehashi.Pairs([shorthand(t) for t in english], english, groups=pairs.groups)

    def make(folder):
        quick = {"ngrams": False, "learned": False, "learn_from": [], "cache": vector_cache}
        encoders = {"source_encoder": use, "target_encoder": minilm}
        inner_fit(shorts, **encoders, second_map=False, **quick).save(folder)

    folder = make_once(run_folder / "short" / "aligner", make)
    return Aligner.load(folder).with_encoders(source_encoder=use)


@pytest.fixture(scope="module")
def multi_aligner(real_aligner, short_aligner, use, tmp_path_factory):
    made = MultiAligner({"ja": real_aligner, "short": short_aligner}, target="en")
    return MultiAligner.load(
        made.save(tmp_path_factory.mktemp("multi_aligner") / "b")
    ).with_encoders(ja=use, short=use)


@pytest.fixture(scope="module")
def corpus(kicad):
    """The same few paragraphs in three modalities: (text, modality)."""
    english = kicad.target_texts[:20]
    every = {"ja": kicad.source_texts[:20], "short": map(shorthand, english), "en": english}
    return [(text, name) for name, texts in every.items() for text in texts]


class TestSpace:
    @pytest.mark.slow
    def test_each_modality_goes_through_its_own_aligner(
        self, multi_aligner, real_aligner, short_aligner
    ):
        for name, aligner in (("ja", real_aligner), ("short", short_aligner)):
            text = [QUERIES[name]]
            expected = aligner.embed_documents(text, modality="source")
            found = multi_aligner.embed_documents(text, modality=name)
            np.testing.assert_array_equal(found, expected)
        for aligner in (real_aligner, short_aligner):  # the target's vectors are where they were
            expected = aligner.embed_documents([QUERIES["en"]], modality="target")
            found = multi_aligner.embed_documents([QUERIES["en"]], modality="en")
            np.testing.assert_array_equal(found, expected)
        assert multi_aligner.modalities == ("ja", "short", "en")
        assert multi_aligner.output_dimension == 384
        assert repr(multi_aligner) == "MultiAligner(ja, short -> en)"

    @pytest.mark.parametrize("name", QUERIES)
    def test_a_query_is_routed_as_what_it_is(self, name, multi_aligner):
        asked = multi_aligner.prepare_query(QUERIES[name])
        assert (asked.modality, asked.how) == (name, "routed")
        declared = multi_aligner.prepare_query(QUERIES[name], name)
        assert (declared.modality, declared.how) == (name, "declared")
        np.testing.assert_array_equal(asked.vector, declared.vector)

    def test_texts_are_routed_with_few_errors(self, multi_aligner, kicad):
        rows = range(1, 150, 2)
        english = [kicad.target_texts[i] for i in rows]
        every = {
            "ja": [kicad.source_texts[i] for i in rows],
            "short": [shorthand(t) for t in english],
            "en": english,
        }
        for name, texts in every.items():
            routed = multi_aligner.route(texts)
            assert sum(found not in (name, None) for found in routed) <= 0.02 * len(texts)
            assert routed.count(name) >= 0.85 * len(texts)

    def test_what_is_none_of_them_goes_to_the_target_encoder(self, multi_aligner):
        asked = multi_aligner.prepare_query("→ 12 ←")
        assert (asked.modality, asked.how) == ("en", "unsure")
        [vector] = multi_aligner.embed_queries(["→ 12 ←"], modality="en")
        np.testing.assert_array_equal(asked.vector, vector)

    def test_a_router_by_script_has_its_say(self, multi_aligner):
        scripts = ScriptRouter(source=("Hiragana", "Katakana", "Han"), target=("Latin",))
        by_script = multi_aligner.aligners["ja"].with_router(scripts)
        routed = MultiAligner({**multi_aligner.aligners, "ja": by_script}, "en").route(
            list(QUERIES.values())
        )
        assert routed == list(QUERIES)

    @pytest.mark.slow
    def test_one_encoder_is_loaded_once(self, kicad, minilm, vector_cache):
        pairs = kicad.select(range(60))
        quick = {"ngrams": False, "learned": False, "learn_from": [], "cache": vector_cache}
        fitted = kakehashi.fit(
            pairs, source_encoder=minilm, target_encoder=minilm, mode="keep", **quick
        )
        multi_aligner = MultiAligner({name: fitted.with_encoders() for name in ("ja", "zh")}, "en")
        for name in multi_aligner.modalities:
            multi_aligner.embed_queries([QUERIES["en"]], modality=name)
        one, other = (aligner.identities["source"] for aligner in multi_aligner.aligners.values())
        assert one is other


class TestRefusals:
    def test_what_could_not_be_one_space(self, real_aligner, text_aligner, short_aligner):
        with pytest.raises(DataError, match=r"aligners=\[\]; give a dictionary"):
            MultiAligner([])
        with pytest.raises(DataError, match="give a dictionary"):
            MultiAligner({})
        with pytest.raises(DataError, match=r"mode 'shared'.* fit it with mode='keep'"):
            MultiAligner({"a": text_aligner})
        with pytest.raises(DataError, match="is no Aligner; load it first"):
            MultiAligner({"a": "folder"})
        short = replace(short_aligner, dimensions={"source": 512, "target": 385})
        with pytest.raises(DataError, match="ja and short differ in their target dimension"):
            MultiAligner({"ja": real_aligner, "short": short})
        other = replace(short_aligner.identities["target"], name="b", probes=np.eye(6, 384))
        short = replace(short_aligner, identities={**short_aligner.identities, "target": other})
        with pytest.raises(DataError, match="differ in their target encoder"):
            MultiAligner({"ja": real_aligner, "short": short})
        report = replace(short_aligner.report, metric="l2")
        with pytest.raises(DataError, match="differ in their metric"):
            MultiAligner({"ja": real_aligner, "short": replace(short_aligner, report=report)})

    @pytest.mark.parametrize("name", ["auto", "", "../x", "a b", "日本語", "x" * 65, 7])
    def test_names_that_are_none(self, name, real_aligner):
        with pytest.raises(DataError, match="cannot name a modality"):
            MultiAligner({name: real_aligner})
        with pytest.raises(DataError, match="cannot name a modality"):
            MultiAligner({"ja": real_aligner}, target=name)

    def test_names_that_only_capitals_tell_apart(self, real_aligner):
        with pytest.raises(DataError, match="named twice"):
            MultiAligner({"ja": real_aligner, "JA": real_aligner})
        with pytest.raises(DataError, match="named twice"):
            MultiAligner({"en": real_aligner}, target="en")

    def test_a_modality_that_it_has_not(self, multi_aligner):
        for call in (
            lambda: multi_aligner.embed_queries(["a"], modality="source"),
            lambda: multi_aligner.prepare_query("a", "fr"),
        ):
            with pytest.raises(DataError, match="the modalities are ja, short, en, or auto"):
                call()
        with pytest.raises(DataError, match=r"with_encoders\(fr=...\): .* ja, short, en"):
            multi_aligner.with_encoders(fr=lambda texts: texts)

    def test_without_a_router_the_modality_has_to_be_named(self, multi_aligner):
        aligner = replace(multi_aligner.aligners["ja"], router=None, calibration=None)
        with pytest.raises(DataError, match="aligner of ja has no router"):
            MultiAligner({**multi_aligner.aligners, "ja": aligner}, "en").prepare_query("a")


class TestCalibration:
    def test_every_two_modalities_have_weights(self, multi_aligner):
        calibration = multi_aligner.calibration
        every = {(q, d) for q in multi_aligner.modalities for d in multi_aligner.modalities}
        assert set(calibration.plain) == set(calibration.hybrid) == every
        assert set(calibration.modalities) == set(multi_aligner.modalities)
        assert all(w.similarity > 0 for w in calibration.plain.values())

    def test_weights_of_sources_are_their_own_and_that_within_the_target_is_the_mean(
        self, multi_aligner
    ):
        weights, within = multi_aligner.calibration.plain, []
        for name, aligner in multi_aligner.aligners.items():
            own = aligner.calibration.plain
            assert weights[name, "en"] == own["source", "target"]
            assert weights[name, name] == own["source", "source"]
            within.append(own["target", "target"])
        assert weights["en", "en"] == pytest.approx(np.mean(within, axis=0))

    def test_what_words_change_to_the_target_they_change_between_two_sources(self, multi_aligner):
        plain, hybrid = multi_aligner.calibration.plain, multi_aligner.calibration.hybrid
        change = {key: np.array(hybrid[key]) - np.array(plain[key]) for key in plain}
        middle = (change["ja", "en"] + change["en", "short"]) / 2
        expected = np.array(plain["ja", "short"]) + middle
        expected[1] = min(0, expected[1])  # a later place never counts more
        assert hybrid["ja", "short"] == pytest.approx(expected)
        assert any(abs(middle) > 1e-3)
        own = multi_aligner.aligners["short"].calibration
        of_words = np.array(own.hybrid["target", "source"]) - own.plain["target", "source"]
        assert change["en", "short"] == pytest.approx(of_words)
        shares = multi_aligner.calibration.words_by_rank
        both = [shares["ja", "en"], shares["en", "short"]]
        assert shares["ja", "short"] == pytest.approx(np.mean(both))
        assert shares["short", "en"] == own.words_by_rank["source", "target"]

    def test_a_foreign_twin_is_the_likeliest_of_the_foreign_documents(self, multi_aligner, kicad):
        """Translations of a held-out paragraph: what no aligner has seen a pair of."""
        english = kicad.target_texts[::3]
        queries = multi_aligner.embed_queries(kicad.source_texts[::3], modality="ja")
        short = [shorthand(t) for t in english]
        documents = multi_aligner.embed_documents(short, modality="short")
        unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)  # noqa: E731
        cosines = unit(queries) @ unit(documents).T
        rank = 1 + np.argsort(np.argsort(-cosines, axis=1), axis=1)
        scores = multi_aligner.calibration.scores(cosines, rank, query="ja", document="short")
        own, others = np.diag(scores), scores[~np.eye(len(scores), dtype=bool)]
        assert np.median(own) > np.quantile(others, 0.95)

    def test_what_lies_between_two_sources_is_the_mean_of_their_weights_to_the_target(
        self, multi_aligner
    ):
        for weights in (multi_aligner.calibration.plain, multi_aligner.calibration.hybrid):
            middle = np.mean([weights["ja", "en"], weights["en", "short"]], axis=0)
            assert weights["ja", "short"] == pytest.approx(middle)

    def test_none_where_an_aligner_has_none(self, multi_aligner):
        own = {name: aligner.calibration for name, aligner in multi_aligner.aligners.items()}
        assert combine_calibrations(own, "en") == multi_aligner.calibration
        assert combine_calibrations({**own, "ja": None}, "en") is None


class TestRescoring:
    def test_each_source_has_its_own_second_map(self, keeping_aligner):
        alone = replace(keeping_aligner, rescoring=None)
        multi = MultiAligner({"small": keeping_aligner, "plain": alone}, target="CAPITAL")
        query = multi.prepare_query("oil the seal 1", "small")
        expected = keeping_aligner.prepare_query("oil the seal 1", "source")
        assert np.array_equal(query.rescoring, expected.rescoring)
        assert multi.rescoring_of("small") is keeping_aligner.rescoring
        awaited = asyncio.run(multi.aprepare_query("oil the seal 1", "small"))
        assert np.array_equal(awaited.rescoring, expected.rescoring)
        for modality in ("plain", "CAPITAL"):
            assert multi.prepare_query("OIL THE SEAL 1.", modality).rescoring is None
            assert asyncio.run(multi.aprepare_query("OIL", modality)).rescoring is None
            assert multi.rescoring_of(modality) is None


class TestFolder:
    def test_it_comes_back_as_it_was(self, multi_aligner, use):
        again = kakehashi.load(multi_aligner.path).with_encoders(ja=use, short=use)
        assert isinstance(again, MultiAligner)
        assert again.fingerprint == multi_aligner.fingerprint
        assert again.calibration == multi_aligner.calibration
        np.testing.assert_array_equal(
            again.prepare_query(QUERIES["ja"])[0], multi_aligner.prepare_query(QUERIES["ja"])[0]
        )

    def test_the_calibration_is_that_before_it_was_saved(self, multi_aligner):
        again = MultiAligner(multi_aligner.aligners, "en")
        assert again.calibration == multi_aligner.calibration

    def test_one_kind_of_folder_is_told_from_the_other(self, multi_aligner, real_aligner):
        assert isinstance(kakehashi.load(real_aligner.path), Aligner)
        with pytest.raises(
            BundleError, match=r"holds a multi aligner.* kakehashi.load.*/aligners\."
        ):
            Aligner.load(multi_aligner.path)
        with pytest.raises(BundleError, match=r"holds an aligner.* kakehashi.load"):
            MultiAligner.load(real_aligner.path)

    def test_nothing_of_others_is_overwritten(self, multi_aligner, real_aligner, tmp_path):
        folder = multi_aligner.save(tmp_path / "b")
        with pytest.raises(FileExistsError, match="pass overwrite=True"):
            multi_aligner.save(folder)
        assert multi_aligner.save(folder, overwrite=True) == folder
        with pytest.raises(FileExistsError, match="is no aligner; it is not overwritten"):
            real_aligner.save(folder, overwrite=True)
        with pytest.raises(FileExistsError, match="is no multi aligner; it is not overwritten"):
            multi_aligner.save(real_aligner.path, overwrite=True)
        (folder / "aligners" / "ja" / "notes.txt").write_text("mine")
        with pytest.raises(FileExistsError, match="also holds notes"):
            multi_aligner.save(folder, overwrite=True)
        assert (folder / "aligners" / "ja" / "notes.txt").exists()
        assert [p.name for p in tmp_path.iterdir()] == ["b"]

    def test_tampering_is_found(self, multi_aligner, tmp_path):
        def copy(name):
            return shutil.copytree(multi_aligner.path, tmp_path / name)

        swapped = copy("swapped")
        one, other = swapped / "aligners" / "ja", swapped / "aligners" / "short"
        one.rename(swapped / "x")
        other.rename(one)
        (swapped / "x").rename(other)
        with pytest.raises(
            BundleTamperedError, match="aligner of ja is not the one that was saved"
        ):
            MultiAligner.load(swapped)
        for name, change, error, said in (
            ("target", {"target": "de"}, BundleTamperedError, "SHA-256"),
            ("newer", {"format": 99}, BundleError, "reads format 1"),
        ):
            folder = copy(name)
            record = json.loads((folder / "multi_aligner.json").read_text())
            (folder / "multi_aligner.json").write_text(json.dumps({**record, **change}))
            with pytest.raises(BundleError, match=said) as caught:
                MultiAligner.load(folder)
            assert caught.type is error
        (copy("cut") / "multi_aligner.json").write_text('{"format": 1,')
        with pytest.raises(BundleError, match="not JSON"):
            MultiAligner.load(tmp_path / "cut")
        shutil.rmtree(copy("missing") / "aligners" / "ja")
        with pytest.raises(BundleError, match=r"ja holds no aligner.json"):
            MultiAligner.load(tmp_path / "missing")

    @pytest.mark.parametrize("names", [["../ja"], [], {"../../ja": "x"}, None])
    def test_no_record_leads_out_of_the_folder(self, names, multi_aligner, tmp_path):
        from kakehashi.bundle.layout import record_hash

        folder = shutil.copytree(multi_aligner.path, tmp_path / "b")
        record = json.loads((folder / "multi_aligner.json").read_text()) | {"aligners": names}
        record["sha256"] = record_hash(record)
        (folder / "multi_aligner.json").write_text(json.dumps(record))
        with pytest.raises(BundleTamperedError):
            MultiAligner.load(folder)

    def test_info_says_what_it_is_made_of(self, multi_aligner):
        ran = CliRunner().invoke(app, ["info", str(multi_aligner.path)])
        assert ran.exit_code == 0, ran.output
        for words in ("ja", "short", "en", multi_aligner.fingerprint[:12], "150 pairs"):
            assert words in ran.output
        ran = CliRunner().invoke(app, ["info", str(multi_aligner.path), "--json"])
        assert json.loads(ran.output)["aligners"]["ja"]["mode"] == "keep"

    def test_the_command_line_makes_one(self, real_aligner, short_aligner, tmp_path):
        parts = [f"ja={real_aligner.path}", f"short={short_aligner.path}"]
        out = tmp_path / "b"
        ran = CliRunner().invoke(app, ["combine", *parts, "--target", "en", "--out", str(out)])
        assert ran.exit_code == 0, ran.output
        assert MultiAligner.load(out).modalities == ("ja", "short", "en")
        for wrong, said in (
            (["ja"], "NAME=FOLDER"),
            ([parts[0], parts[0]], "ja is named twice"),
            ([f"ja={tmp_path}"], "aligner.json"),
        ):
            ran = CliRunner().invoke(app, ["combine", *wrong, "--out", str(tmp_path / "c")])
            assert said in str(ran.exception)


class TestLangChain:
    @pytest.fixture(scope="class")
    def embeddings(self, multi_aligner):
        return langchain.AlignedEmbeddings(aligner=multi_aligner)

    @pytest.fixture(scope="class")
    def documents(self, corpus):
        return [Document(text, metadata={"modality": name}) for text, name in corpus]

    @pytest.fixture(scope="class")
    def store(self, embeddings, documents):
        made = InMemoryVectorStore(embeddings)
        embeddings.add_documents(made, documents)
        return made

    @pytest.mark.parametrize("name", QUERIES)
    @pytest.mark.parametrize("words", [False, True])
    @pytest.mark.slow
    def test_one_list_of_three_modalities(
        self, name, words, embeddings, store, documents, multi_aligner, corpus
    ):
        searches = [langchain.VectorSearch(vectorstore=store)]
        if words:
            searches.append(langchain.BM25Search(documents=documents))
        retriever = langchain.HybridRetriever(
            searches=searches, embeddings=embeddings, k=8, explain=True
        )
        found = retriever.invoke(QUERIES[name])
        expected = brute_force(multi_aligner, QUERIES[name], corpus, words=words)[:8]
        assert [d.page_content for d in found] == [text for text, _ in expected]
        said = [d.metadata["kakehashi"] for d in found]
        assert [s["score"] for s in said] == pytest.approx([s for _, s in expected], abs=1e-3)
        assert len({s["modality"] for s in said}) > 1

    @pytest.mark.slow
    def test_an_index_for_each_modality(self, embeddings, documents, multi_aligner, corpus):
        searches = []
        for name in multi_aligner.modalities:
            part = [d for d in documents if d.metadata["modality"] == name]
            made = InMemoryVectorStore(embeddings)
            embeddings.add_documents(made, part)
            searches.append(
                langchain.VectorSearch(vectorstore=made, name=f"index of {name}", modality=name)
            )
        retriever = langchain.HybridRetriever(searches=searches, embeddings=embeddings, k=8)
        found = retriever.invoke(QUERIES["ja"])
        expected = brute_force(multi_aligner, QUERIES["ja"], corpus)[:8]
        assert [d.page_content for d in found] == [text for text, _ in expected]

    def test_the_index_of_the_target_is_searched_as_it_is(self, embeddings, minilm, corpus):
        """Two lines to drop in: what an index of MiniLM holds stays where it is."""
        from langchain_huggingface import HuggingFaceEmbeddings

        english = [text for text, name in corpus if name == "en"]
        store = InMemoryVectorStore(HuggingFaceEmbeddings(model_name=minilm))
        store.add_texts(english)
        retriever = langchain.AlignedRetriever(vectorstore=store, embeddings=embeddings, k=1)
        for row in (0, 7, 13):
            for name in ("ja", "short"):
                text = [t for t, n in corpus if n == name][row]
                [found] = retriever.invoke(text)
                if found.page_content == english[row]:
                    break
            else:
                pytest.fail(f"{english[row]!r} is found by none")

    def test_defaults_are_those_of_a_bridge(self, embeddings, multi_aligner):
        assert (embeddings.query_modality, embeddings.document_modality) == ("auto", "en")
        read = type(embeddings).model_validate(embeddings.model_dump(mode="json"))
        assert read.aligner.fingerprint == multi_aligner.fingerprint
        loaded = langchain.AlignedEmbeddings.load(multi_aligner.path)
        assert loaded.aligner.modalities == multi_aligner.modalities

    @pytest.mark.slow
    def test_documents_that_name_no_modality_are_routed(self, multi_aligner, corpus, documents):
        embeddings = langchain.AlignedEmbeddings(aligner=multi_aligner, document_modality="auto")
        store = InMemoryVectorStore(embeddings)
        store.add_documents([Document(d.page_content) for d in documents])
        retriever = langchain.HybridRetriever(
            searches=[store], embeddings=embeddings, k=len(documents), explain=True
        )
        routed = dict(
            zip([t for t, _ in corpus], multi_aligner.route([t for t, _ in corpus]), strict=True)
        )
        found = retriever.invoke(QUERIES["ja"])
        assert len(found) == len(documents)
        for document in found:
            read_as = routed[document.page_content] or "en"
            assert document.metadata["kakehashi"]["modality"] == read_as
        vectors = embeddings.embed_documents([d.page_content for d in documents])
        for text, vector in zip(routed, vectors, strict=True):
            [own] = multi_aligner.embed_documents([text], modality=routed[text] or "en")
            np.testing.assert_allclose(vector, own, atol=1e-5)  # encoders round by their batch

    def test_modalities_that_it_has_not(self, multi_aligner, embeddings, store):
        with pytest.raises(ValueError, match="choose one of ja, short, en, or auto"):
            langchain.AlignedEmbeddings(aligner=multi_aligner, query_modality="source")
        with pytest.raises(ValueError, match="choose one of ja, short, en, or auto"):
            langchain.AlignedEmbeddings(aligner=multi_aligner, document_modality="target")
        with pytest.raises(DataError, match="allowed are ja, short, en"):
            embeddings.add_documents(store, [Document("a", metadata={"modality": "source"})])
        with pytest.raises(ValueError, match="choose one of ja, short, en"):
            langchain.HybridRetriever(
                embeddings=embeddings,
                searches=[langchain.VectorSearch(vectorstore=store, modality="source")],
            )

    def test_an_aligner_that_is_not_advised_is_named(self, multi_aligner):
        report = replace(
            multi_aligner.aligners["ja"].report, verdict="do not use", reason="it is worse"
        )
        doubted = replace(multi_aligner.aligners["ja"], report=report)
        with pytest.warns(NotAdvisedWarning, match="The aligner of ja: its report says: do not"):
            langchain.AlignedEmbeddings(
                aligner=MultiAligner({**multi_aligner.aligners, "ja": doubted}, "en")
            )


class TestLlamaIndex:
    @pytest.fixture(scope="class")
    def embedding(self, multi_aligner):
        return llama_index.AlignedEmbedding(aligner=multi_aligner)

    @pytest.fixture(scope="class")
    def nodes(self, corpus):
        return [TextNode(text=text, metadata={"modality": name}) for text, name in corpus]

    @pytest.mark.parametrize("name", QUERIES)
    @pytest.mark.parametrize("words", [False, True])
    def test_one_list_of_three_modalities(
        self, name, words, embedding, nodes, multi_aligner, corpus
    ):
        index = VectorStoreIndex(embedding(nodes), embed_model=MockEmbedding(384))
        searches = [llama_index.VectorSearch(index)]
        if words:
            searches.append(llama_index.BM25Search(nodes))
        retriever = llama_index.HybridRetriever(searches, embedding, similarity_top_k=8)
        found = retriever.retrieve(QUERIES[name])
        expected = brute_force(multi_aligner, QUERIES[name], corpus, words=words)[:8]
        assert [row.node.get_content() for row in found] == [text for text, _ in expected]
        assert [row.score for row in found] == pytest.approx([s for _, s in expected], abs=1e-3)

    def test_it_is_written_down_and_read_again(self, embedding, multi_aligner):
        assert (embedding.query_modality, embedding.document_modality) == ("auto", "en")
        read = llama_index.AlignedEmbedding.from_dict(embedding.to_dict())
        assert read.aligner.fingerprint == multi_aligner.fingerprint
        with pytest.raises(DataError, match=r"allowed are ja, short, en"):
            embedding([TextNode(text="a", metadata={"modality": "fr"})])

    def test_an_index_adds_nodes_that_bring_its_vectors_and_no_unknown_modality(
        self, embedding, nodes
    ):
        index = VectorStoreIndex(embedding(nodes), embed_model=embedding)
        assert len(index.vector_store.data.embedding_dict) == len(nodes)
        with pytest.raises(DataError, match=r"modality='fr'; allowed are ja, short, en"):
            index.insert_nodes([TextNode(text="a", metadata={"modality": "fr"})])


class TestChroma:
    def test_a_collection_is_asked_in_every_modality(self, multi_aligner, corpus, tmp_path):
        client = chromadb.PersistentClient(tmp_path)
        function = chroma.AlignedEmbeddingFunction(multi_aligner)
        collection = chroma.open_collection(client, "english", function)
        english = [text for text, name in corpus if name == "en"]
        collection.add(ids=[str(i) for i in range(len(english))], documents=english)
        asked = list(QUERIES.values())
        found = collection.query(query_texts=asked, n_results=3)["ids"]
        vectors = np.stack([multi_aligner.prepare_query(text).vector for text in asked])
        documents = multi_aligner.embed_documents(english, modality="en")
        expected = np.argsort(-vectors @ documents.T, axis=1, kind="stable")[:, :3]
        assert found == [[str(i) for i in row] for row in expected]

    def test_another_bridge_is_refused(self, multi_aligner, tmp_path):
        client = chromadb.PersistentClient(tmp_path)
        chroma.open_collection(client, "english", multi_aligner)
        renamed = MultiAligner(multi_aligner.aligners, "english")
        other = MultiAligner.load(renamed.save(tmp_path / "other"))
        with pytest.raises(AlignerMismatchError):
            chroma.open_collection(client, "english", other)
