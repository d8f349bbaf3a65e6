"""LangChain's OpenAI classes, unmodified."""
import openai
import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from manual import FACT, MANUAL, QUESTION
from world import DEADLINE, MODEL


@pytest.fixture(scope="module")
def address(lastro):
    document, = lastro.upload("langchain", ("zephyr-9.pdf", MANUAL))
    assert document["status"] == "completed", document
    return lastro.url + "/v1"


def chat(address, **options):
    return ChatOpenAI(base_url=address, api_key="none", temperature=0, max_tokens=60, max_retries=0, timeout=DEADLINE, **options)


def test_invoke_is_grounded(address):
    answer = chat(address, model="smollm2@langchain").invoke(QUESTION)
    assert FACT in answer.content and answer.response_metadata["finish_reason"] == "stop"


def test_stream_is_grounded(address):
    pieces = [piece.content for piece in chat(address, model="smollm2@langchain").stream(QUESTION)]
    assert FACT in "".join(pieces) and len(pieces) > 3


def test_a_header_selects_and_switches_off(address):
    selected = chat(address, model="smollm2", default_headers={"X-RAG-Collection": "langchain"})
    assert FACT in selected.invoke(QUESTION).content
    off = chat(address, model="smollm2@langchain", default_headers={"X-RAG": "off"})
    assert FACT not in off.invoke(QUESTION).content


def test_a_conversation_over_responses_goes_on(lastro, address):
    """The class sends each answer back as it got it, the search in it too."""
    tool = {"type": "file_search", "vector_store_ids": ["langchain"]}
    model = chat(address, model="smollm2", use_responses_api=True).bind_tools([tool])
    said = [("user", QUESTION)]
    for _ in range(3):
        answer = model.invoke(said)
        assert any(block["type"] in ("file_search_call", "server_tool_call") for block in answer.content), answer.content
        said += [answer, ("user", QUESTION)]


def test_embeddings(address):
    # LangChain counts tokens with OpenAI's tokeniser and would send their numbers, unless it is told not to.
    embeddings = OpenAIEmbeddings(base_url=address, api_key="none", model=MODEL.name, check_embedding_ctx_length=False, max_retries=0)
    lid, cover, rain = embeddings.embed_documents(["The lid is blue.", "A colour of the cover", "Rain in Lisbon"])
    assert len(lid) == 384
    assert sum(a * b for a, b in zip(lid, cover)) > sum(a * b for a, b in zip(lid, rain))
    assert embeddings.embed_query("The lid is blue.") == pytest.approx(lid, abs=1e-3)


def test_long_texts_are_cut_where_that_is_asked_for(address):
    """Splitters count characters, and models tokens."""
    plain, cutting = ({}, {"extra_body": {"truncate_prompt_tokens": -1}})
    text = "The lid of the pump is blue, and a long text follows. " * 40
    embeddings = [OpenAIEmbeddings(base_url=address, api_key="none", model=MODEL.name, check_embedding_ctx_length=False, max_retries=0,
                                   model_kwargs=options) for options in (plain, cutting)]
    with pytest.raises(openai.BadRequestError) as error:
        embeddings[0].embed_documents(["Short.", text])
    assert "truncate_prompt_tokens" in str(error.value)
    short, long = embeddings[1].embed_documents(["Short.", text])
    assert len(short) == len(long) == 384
