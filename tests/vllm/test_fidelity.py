"""What vLLM says reaches the client as it was said, and what the client asks reaches vLLM as it was asked."""
import http.client
import json
from urllib.parse import urlsplit

import pytest

from documents import FACT, QUESTION
from vllm_server import MODEL
from wire import chat, preview, request_id, send
from world import DEADLINE

STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])

# Fields of OpenAI's API and of vLLM's own; each answer shows that vLLM has read them.
FIELDS = {
    "nothing": {},
    "two choices": {"n": 2, "temperature": 0.9},
    "logprobs": {"logprobs": True, "top_logprobs": 3},
    "token ids": {"return_token_ids": True},
    "stop strings": {"stop": [" rivers", "."], "include_stop_str_in_output": True},
    "a least length": {"min_tokens": 20, "max_tokens": 20, "stop": ["."]},
    "no end": {"ignore_eos": True, "max_tokens": 60},
    "a template's fields": {"chat_template_kwargs": {"add_generation_prompt": False}, "add_generation_prompt": False},
    "sampling": {"temperature": 0.8, "top_k": 5, "min_p": 0.05, "repetition_penalty": 1.3, "logit_bias": {"30": -100}},
    "a schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "river", "schema": {
        "type": "object", "properties": {"name": {"enum": ["Tejo", "Douro"]}}, "required": ["name"], "additionalProperties": False}}}},
    "vLLM's own and unknown": {"priority": 0, "cache_salt": "tenant", "no_such_field": {"deep": [1.50, 123456789012345678901234567890]}},
    "a system message": {"messages": [
        {"role": "system", "content": "Olá, ação €: answer in five words."},
        {"role": "user", "content": [{"type": "text", "text": "Tell me "}, {"type": "text", "text": QUESTION}]}]},
}
FIELDS_OF_STREAMS = {
    "usage": {"stream_options": {"include_usage": True}},
    "usage all along": {"stream_options": {"include_usage": True, "continuous_usage_stats": True}},
    "usage and two choices": {"n": 2, "temperature": 0.9, "stream_options": {"include_usage": True}},
}


@STREAMED
@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_a_plain_chat_is_vllms_own(pair, fields, stream):
    answer = pair.chat(stream=stream, **fields)
    assert answer.headers["content-type"] == ("text/event-stream; charset=utf-8" if stream else "application/json")
    assert not any(name.startswith("x-rag-") for name in answer.headers)


@STREAMED
@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_a_grounded_chat_is_what_vllm_makes_of_its_prompt(pair, fields, stream):
    pair.grounded_chat("pump", **{"content": QUESTION, "stream": stream, **fields})


@pytest.mark.parametrize("fields", FIELDS_OF_STREAMS.values(), ids=FIELDS_OF_STREAMS)
def test_the_chunk_with_the_usage(pair, fields):
    for answer in (pair.chat(stream=True, **fields), pair.grounded_chat("pump", content=QUESTION, stream=True, **fields)):
        *chunks, last = answer.chunks()
        assert last["choices"] == [] and last["usage"]["completion_tokens"] > 0
        assert {choice["index"] for chunk in chunks for choice in chunk["choices"]} == set(range(fields.get("n", 1)))


def test_logprobs_of_the_prompt(pair):
    """vLLM has them for whole answers only."""
    pair.chat(prompt_logprobs=1, stream=True, status=400)
    plain = pair.chat(prompt_logprobs=1, content=QUESTION).json()
    grounded = pair.grounded_chat("pump", prompt_logprobs=1, content=QUESTION).json()
    assert len(grounded["prompt_logprobs"]) == grounded["usage"]["prompt_tokens"] > len(plain["prompt_logprobs"])


def test_without_being_asked_for_there_is_no_usage(pair):
    answer = pair.grounded_chat("pump", content=QUESTION, stream=True)
    assert all(chunk["choices"] and "usage" not in chunk for chunk in answer.chunks())


def test_fields_do_what_they_say(pair):
    """The comparisons above would also hold if a field was lost on both ways."""
    assert pair.chat(stream=True, return_token_ids=True).chunks()[0]["prompt_token_ids"]
    assert pair.chat(ignore_eos=True, max_tokens=60).json()["usage"]["completion_tokens"] == 60
    assert pair.chat(min_tokens=20, max_tokens=20).json()["usage"]["completion_tokens"] == 20
    logprobs = pair.chat(logprobs=True, top_logprobs=3).json()["choices"][0]["logprobs"]["content"]
    assert all(len(token["top_logprobs"]) == 3 for token in logprobs)
    assert pair.chat(prompt_logprobs=1).json()["prompt_logprobs"]
    assert pair.chat(stop=[" are"]).json()["choices"][0]["stop_reason"] == " are"


def test_a_grounded_request_differs_in_nothing_but_the_question(lastro):
    # Spellings that a rewritten body would lose.
    fields = b'"temperature":0.10, "logit_bias":{"30":-1.0e1},"x":123456789012345678901234567890,"y":"\\u00e9\\/", "max_tokens":5'
    body = (b'{"model":"smollm2@pump",' + fields + b',"messages":[{"role":"system","content":"S\\u00e3o"},'
            b'{"name":"a","role":"user","content":"' + QUESTION.encode() + b'"}] ,"user":"u"}')
    prompt = preview(lastro.url, body)
    before, after = body.replace(b"smollm2@pump", b"smollm2").split(QUESTION.encode())
    assert prompt.startswith(before) and prompt.endswith(QUESTION.encode() + after)
    assert FACT.encode() in prompt
    answer = send(lastro.url, "POST", "/v1/chat/completions", body)
    assert answer.status == 200, answer.body


def test_the_passages_are_in_the_answer(pair):
    answer = pair.grounded_chat("pump", content=QUESTION, stream=True, max_tokens=40)
    assert FACT in answer.text()
    assert {source["document"] for source in json.loads(answer.headers["x-rag-sources"])} == {"zephyr-9.txt"}
    assert FACT not in pair.chat(content=QUESTION, stream=True, max_tokens=40).text()


def test_usage_counts_the_passages(pair):
    plain = pair.chat(content=QUESTION).json()["usage"]
    grounded = pair.grounded_chat("pump", content=QUESTION).json()["usage"]
    assert plain["prompt_tokens"] + 50 < grounded["prompt_tokens"] < 2048
    assert grounded["total_tokens"] == grounded["prompt_tokens"] + grounded["completion_tokens"]


@pytest.mark.parametrize("model", [MODEL, f"{MODEL}@pump"], ids=["plain", "grounded"])
def test_words_arrive_while_vllm_still_writes(vllm, lastro, model):
    connection = http.client.HTTPConnection(urlsplit(lastro.url).netloc, timeout=DEADLINE)
    body = json.dumps(chat(model=model, content=QUESTION, stream=True, ignore_eos=True, max_tokens=250))
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json", **request_id()})
    response = connection.getresponse()
    first, _, second = (response.readline() for _ in range(3))
    assert b'"role":"assistant"' in first and b'"content":"' in second
    assert vllm.running() == 1, "the answer had ended before its first word was passed on"
    assert response.read().endswith(b"data: [DONE]\n\n")
    connection.close()
