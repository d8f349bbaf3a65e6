"""Chats, responses and embeddings through the official openai SDK for Python, unmodified."""
import json
import math

import openai
import pytest

from manual import FACT, QUESTION
from upstream import ANSWER, MODEL
from world import MODEL as EMBEDDING_MODEL
from world import sdk

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Tells the weather.",
                                            "parameters": {"type": "object", "properties": {"town": {"type": "string"}}}}}


@pytest.fixture(scope="module")
def client(grounded):
    return sdk(grounded)


def file_search(grounded, **fields):
    return {"type": "file_search", "vector_store_ids": [grounded.store], **fields}


def sent(scripted, path):
    """What the LLM server was sent last."""
    came, headers, body = scripted.requests[-1]
    assert came == path
    return body


def check_citations(grounded, annotations):
    assert annotations, "the answer has marks, so it has citations"
    for annotation in annotations:
        assert annotation.type == "url_citation"
        citation = annotation.url_citation
        assert ANSWER[citation.start_index:citation.end_index] == "[1]"
        assert citation.title.startswith("zephyr-9.pdf")
        assert citation.url.split("#page=")[0] == f"{grounded.url}/v1/files/{grounded.file}/content"


@pytest.mark.parametrize("stream", [False, True])
def test_file_search_grounds_a_chat_and_other_tools_stay(grounded, client, scripted, stream):
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES, stream=stream,
                                                           tools=[WEATHER, file_search(grounded, max_num_results=2)])
    assert raw.headers["x-rag-status"] == "hit" and int(raw.headers["x-rag-hits"]) >= 1
    answer = raw.parse()
    text = "".join(chunk.choices[0].delta.content or "" for chunk in answer) if stream else answer.choices[0].message.content
    assert text == ANSWER
    request = sent(scripted, "/v1/chat/completions")
    assert request["tools"] == [WEATHER] and request["model"] == MODEL
    assert request["messages"][0] == MESSAGES[0]
    assert FACT in request["messages"][1]["content"] and request["messages"][1]["content"].endswith(QUESTION)


def test_file_search_alone_leaves_no_tools(grounded, client, scripted):
    client.chat.completions.create(model=MODEL, messages=MESSAGES, tools=[file_search(grounded)], tool_choice="auto")
    request = sent(scripted, "/v1/chat/completions")
    assert "tools" not in request and "tool_choice" not in request


def test_file_search_with_a_filter_that_nothing_meets(grounded, client, scripted):
    nothing = {"type": "eq", "key": "house", "value": "red"}
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES, tools=[file_search(grounded, filters=nothing)])
    assert raw.headers["x-rag-status"] == "empty"
    assert FACT not in json.dumps(sent(scripted, "/v1/chat/completions"))


@pytest.mark.parametrize("param, tool", [
    ("tools", {"type": "file_search"}),
    ("tools", {"type": "file_search", "vector_store_ids": []}),
    ("tools", {"type": "file_search", "vector_store_ids": "pump"}),
    ("tools", {"type": "file_search", "vector_store_ids": ["pump"], "max_num_results": 51}),
    ("tools", {"type": "file_search", "vector_store_ids": ["pump"], "filters": {"type": "like", "key": "a", "value": "b"}}),
    ("tools", {"type": "file_search", "vector_store_ids": ["pump"], "ranking_options": {"score_threshold": 2}}),
])
def test_a_file_search_that_cannot_be_is_refused(client, scripted, param, tool):
    before = len(scripted.requests)
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model=MODEL, messages=MESSAGES, tools=[tool])
    assert error.value.type == "invalid_request_error" and (error.value.param or "").startswith(param), error.value.body
    assert len(scripted.requests) == before


def test_file_search_in_a_store_of_nobody(client):
    for name in ("vs_00000000000000000000000000000000", "nothing"):
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model=MODEL, messages=MESSAGES, tools=[{"type": "file_search", "vector_store_ids": [name]}])


def test_the_streaming_helper_gathers_annotations(grounded, client):
    with client.chat.completions.stream(model=f"{MODEL}@pump", messages=MESSAGES,
                                        extra_headers={"X-RAG-Citations": "annotations"}) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "content.delta" in kinds and "content.done" in kinds
    assert final.choices[0].message.content == ANSWER and final.choices[0].finish_reason == "stop"
    check_citations(grounded, final.choices[0].message.annotations)


def test_a_streamed_response_is_read_line_by_line(grounded, client):
    with client.chat.completions.with_streaming_response.create(model=f"{MODEL}@pump", messages=MESSAGES, stream=True,
                                                                extra_headers={"X-RAG-Citations": "annotations"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]" and all(line.startswith("data: ") for line in lines)
    deltas = [json.loads(line[6:])["choices"][0]["delta"] for line in lines[:-1]]
    assert sum("annotations" in delta for delta in deltas) == 1, "one chunk more than upstream sent"


def test_annotations_without_streaming(grounded, client):
    answer = client.chat.completions.create(model=f"{MODEL}@pump", messages=MESSAGES, n=2, extra_headers={"X-RAG-Citations": "annotations"})
    assert [choice.message.content for choice in answer.choices] == [ANSWER] * 2
    for choice in answer.choices:
        check_citations(grounded, choice.message.annotations)


def test_every_listed_model_is_told_of(client):
    listed = [model for model in client.models.list() if "@" in model.id or model.owned_by == "lastro"]
    assert listed
    for model in listed:
        assert client.models.retrieve(model.id).to_dict() == model.to_dict()
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve(f"{MODEL}@nothing-of-this-name")


def test_embeddings_are_cut_where_that_is_asked_for(client):
    long = "A sentence about pumps and their lids. " * 100
    for most, tokens in ((-1, 256), (16, 16)):
        answer = client.embeddings.create(model=EMBEDDING_MODEL.name, input=long, extra_body={"truncate_prompt_tokens": most})
        assert answer.usage.prompt_tokens == tokens and len(answer.data[0].embedding) == 384


def test_embeddings_of_our_model(client):
    texts, name = ["The lid is blue.", "A colour of the cover", "Rain in Lisbon"], EMBEDDING_MODEL.name
    assert name in {model.id for model in client.models.list()}
    floats = client.embeddings.create(model=name, input=texts, encoding_format="float")
    coded = client.embeddings.create(model=name, input=texts)  # the SDK asks for base64 and decodes it
    assert (floats.object, floats.model, [one.index for one in floats.data]) == ("list", name, [0, 1, 2])
    assert floats.usage.prompt_tokens == floats.usage.total_tokens > 5
    for one, other in zip(floats.data, coded.data):
        assert one.object == "embedding" and len(one.embedding) == 384
        assert one.embedding == pytest.approx(list(other.embedding), abs=1e-6)
        assert math.isclose(sum(x * x for x in one.embedding), 1, abs_tol=1e-3)
    lid, cover, rain = (one.embedding for one in floats.data)
    assert sum(a * b for a, b in zip(lid, cover)) > sum(a * b for a, b in zip(lid, rain))
    single = client.embeddings.create(model=name, input=texts[0], encoding_format="float")
    assert single.data[0].embedding == pytest.approx(lid, abs=1e-3)


@pytest.mark.parametrize("param, fields", [
    ("dimensions", {"dimensions": 64}),
    ("encoding_format", {"encoding_format": "hex"}),
    ("input", {"input": []}),
    ("input", {"input": ""}),
    ("input", {"input": {"text": "a"}}),
    ("input", {"input": ["a"] * 2049}),
])
def test_embeddings_that_cannot_be_are_refused(client, param, fields):
    with pytest.raises(openai.BadRequestError) as error:
        client.embeddings.create(**{"model": EMBEDDING_MODEL.name, "input": "a", **fields})
    assert error.value.param == param and error.value.type == "invalid_request_error", error.value.body
