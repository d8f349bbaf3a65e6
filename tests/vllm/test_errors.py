"""vLLM's errors are the client's to see: status, headers and body as they came."""
import pytest

from documents import QUESTION
from test_fidelity import STREAMED
from wire import CHAT, chat, send

TOO_LONG = "river " * 3000
REFUSED = {
    "a prompt that is too long": (400, {"content": TOO_LONG}),
    "an answer that is too long": (400, {"max_tokens": 5000}),
    "an unknown model": (404, {"model": "nope"}),
    "a temperature below zero": (400, {"temperature": -1}),
    "a temperature that is a word": (400, {"temperature": "hot"}),
    "no room for an answer": (400, {"max_tokens": 0}),
    "two greedy choices": (400, {"n": 2}),
    "a priority where there is none": (200, {"priority": 5}),
    "no messages": (400, {"messages": []}),
    "an unknown role": (400, {"messages": [{"role": "nobody", "content": 5}]}),
    "an unknown tool": (400, {"tool_choice": {"type": "function", "function": {"name": "nope"}}, "tools": []}),
}


@STREAMED
@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_chat(pair, name, stream):
    status, fields = REFUSED[name]
    answer = pair.chat(status=status, stream=stream, **fields)
    if status != 200:
        assert answer.headers["content-type"] == "application/json" and answer.json()["error"]["code"] == status


@STREAMED
@pytest.mark.parametrize("name", ["a temperature below zero", "two greedy choices"])
def test_a_refused_chat_about_a_collection(pair, name, stream):
    status, fields = REFUSED[name]
    pair.grounded_chat("pump", status=status, stream=stream, content=QUESTION, **fields)


def test_an_error_within_a_stream(pair):
    """vLLM finds this one only when the stream has begun: 200, and the error as an event."""
    fields = {"logprobs": True, "top_logprobs": 5000, "content": QUESTION}
    assert pair.chat(status=400, **fields).json()["error"]["param"] == "logprobs"
    for answer in (pair.chat(stream=True, **fields), pair.grounded_chat("pump", stream=True, **fields)):
        assert answer.body.startswith(b'data: {"error": ') and answer.body.endswith(b"data: [DONE]\n\n")


@STREAMED
def test_a_question_that_is_too_long_alone_is_vllms_to_refuse(pair, stream):
    """There is no room for passages; what is left is the question, and vLLM's own words about it."""
    direct, relayed = both(pair, chat(content=TOO_LONG, stream=stream), "smollm2@rivers-english")
    assert direct.status == relayed.status == 400
    assert relayed.body == direct.body
    assert relayed.headers["x-rag-status"] == "no_room"


def test_an_unknown_model_with_a_collection(pair):
    direct, relayed = both(pair, chat(model="nope"), "nope@pump")
    assert direct.status == relayed.status == 404
    assert relayed.body == direct.body


def both(pair, body, model):
    return send(pair.direct, "POST", CHAT, body), send(pair.relayed, "POST", CHAT, {**body, "model": model})


BROKEN = [b"{", b"", b"[]", b"null", b'{"model":"smollm2","messages":[}', b'{"model":"smollm2"}', b"\xff\xfe", b'{"a":"\xe3\x28"}']


@pytest.mark.parametrize("body", BROKEN)
def test_a_body_that_is_no_chat(pair, body):
    answer = send(pair.direct, "POST", CHAT, body, {"Content-Type": "application/json"})
    assert 400 <= answer.status < 500, answer.body
    pair.same("POST", CHAT, body, {"Content-Type": "application/json"}, status=answer.status)


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/v1/nope", 404), ("POST", "/v1/nope?a=b", 404), ("GET", "/v1/completions", 405), ("DELETE", "/v1/chat/completions", 405),
    ("GET", "/v1/chat/completions", 405), ("PUT", "/v1/models", 405), ("GET", "/v1/responses/resp_nope", 404),
])
def test_what_vllm_does_not_have(pair, method, path, status):
    pair.same(method, path, status=status)


def test_another_content_type_is_vllms_to_judge(pair):
    body = b"model=smollm2"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = send(pair.direct, "POST", CHAT, body, headers)
    pair.same("POST", CHAT, body, headers, status=answer.status)
