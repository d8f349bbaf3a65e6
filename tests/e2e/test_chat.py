"""Asking through real clients: the openai SDK, and the plain `requests` loop of a typical Streamlit page."""
import json

import openai
import pytest
import requests

from manual import FACT, MANUAL, QUESTION
from pdf import pdf
from world import DEADLINE


@pytest.fixture(scope="module")
def pump(lastro):
    """A collection that holds the manual."""
    document, = lastro.upload("pump", ("zephyr-9.pdf", MANUAL))
    assert document["status"] == "completed", document
    return "pump"


def question(model="smollm2", **fields):
    return {"model": model, "temperature": 0, "max_tokens": 60, "messages": [{"role": "user", "content": QUESTION}], **fields}


def check_trace(lastro, headers):
    """The trace that an answer names holds the passage with the fact, and where it stands."""
    assert headers["x-rag-status"] == "hit"
    assert headers["x-rag-collection"] == "pump"
    assert int(headers["x-rag-hits"]) >= 1
    assert "zephyr-9.pdf" in {source["document"] for source in json.loads(headers["x-rag-sources"])}
    trace = lastro.call("GET", f"/v1/rag/traces/{headers['x-rag-trace-id']}").json()
    passages = [passage for passage in trace["passages"] if FACT in passage["text"]]
    assert passages and {passage["document"] for passage in passages} == {"zephyr-9.pdf"}
    # The fact is on page 2; a passage has the page on which it begins.
    assert all(passage["page"] in (1, 2) for passage in passages)


def test_sdk_without_streaming(lastro, client, pump):
    raw = client.chat.completions.with_raw_response.create(**question(f"smollm2@{pump}"))
    assert FACT in raw.parse().choices[0].message.content
    check_trace(lastro, raw.headers)


def test_sdk_streaming(lastro, client, pump):
    raw = client.chat.completions.with_raw_response.create(**question(f"smollm2@{pump}", stream=True))
    pieces = [chunk.choices[0].delta.content for chunk in raw.parse() if chunk.choices and chunk.choices[0].delta.content]
    assert FACT in "".join(pieces)
    assert len(pieces) > 3, "the answer arrived in one piece"
    check_trace(lastro, raw.headers)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("how", ["path", "header"])
def test_requests_with_only_the_url_or_a_header_changed(lastro, pump, how, stream):
    prefix, headers = (f"/c/{pump}", {}) if how == "path" else ("", {"X-RAG-Collection": pump})
    response = requests.post(f"{lastro.url}{prefix}/v1/chat/completions", json=question(stream=stream), headers=headers,
                             stream=stream, timeout=DEADLINE)
    response.raise_for_status()
    if stream:
        answer = ""
        for line in response.iter_lines():
            if line.startswith(b"data: ") and line != b"data: [DONE]":
                answer += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
    else:
        answer = response.json()["choices"][0]["message"]["content"]
    assert FACT in answer
    check_trace(lastro, response.headers)


def test_preview_shows_the_prompt_that_upstream_gets(lastro, pump):
    preview = lastro.call("POST", "/v1/rag/preview", json=question(f"smollm2@{pump}", stream=True)).json()
    assert preview["status"] == "hit" and preview["collections"] == [pump]
    request = preview["request"]
    assert (request["model"], request["stream"], request["temperature"], request["max_tokens"]) == ("smollm2", True, 0, 60)
    prompt = request["messages"][-1]["content"]
    assert f"The maintenance code of the Zephyr-9 pump is {FACT}." in prompt
    assert "zephyr-9.pdf" in prompt
    assert prompt.index(FACT) < prompt.rindex(QUESTION), "the passages stand before the question"
    assert any(FACT in passage["text"] for passage in preview["passages"])


def test_without_a_collection_the_answer_is_upstreams_own(lastro, pump):
    response = lastro.ask("smollm2", QUESTION)
    assert FACT not in response.json()["choices"][0]["message"]["content"]
    assert "x-rag-status" not in response.headers


def test_grounding_can_be_switched_off(lastro, pump):
    response = lastro.ask(f"smollm2@{pump}", QUESTION, X_RAG="off")
    assert response.status_code == 200, response.text
    assert FACT not in response.json()["choices"][0]["message"]["content"]
    assert response.headers["x-rag-status"] == "off"


def test_models_lists_every_collection(client, pump):
    names = {model.id for model in client.models.list()}
    assert {"smollm2", f"smollm2@{pump}"} <= names


def test_an_error_of_upstream_is_the_sdks_own_exception(client, pump):
    # llama.cpp makes at most as many choices as it serves requests at a time.
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(**question(f"smollm2@{pump}", n=5))
    assert error.value.response.headers["x-rag-status"] == "hit"


def test_an_unknown_collection_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as error:
        client.chat.completions.create(**question(), extra_headers={"X-RAG-Collection": "no-such-collection"})
    assert error.value.body["message"]


def test_two_ways_that_disagree_are_refused(lastro, client, pump):
    lastro.upload("other", ("other.pdf", pdf("Nothing about pumps.")))
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(**question(f"smollm2@{pump}"), extra_headers={"X-RAG-Collection": "other"})
    assert error.value.body["message"]


def test_without_upstream_search_works_and_chat_says_what_to_do(start):
    lastro = start(upstream="http://127.0.0.1:9/v1")
    lastro.upload("pump", ("zephyr-9.pdf", MANUAL))
    found = lastro.call("POST", "/v1/vector_stores/pump/search", json={"query": QUESTION}).json()["data"]
    assert FACT in json.dumps(found)
    answer = lastro.ask("smollm2@pump", QUESTION)
    assert answer.status_code == 502
    message = answer.json()["error"]["message"]
    assert "start the LLM server" in message and "127.0.0.1" not in message
    assert "127.0.0.1:9" in lastro.tail(), "the log has the address"
