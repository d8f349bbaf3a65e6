"""One id for a request in the client's hands, in lastro's log and in vLLM's answer."""
import re
import uuid

import pytest

from documents import QUESTION
from test_fidelity import STREAMED
from vllm_server import MODEL
from wire import chat, send

MODELS = pytest.mark.parametrize("model", [MODEL, f"{MODEL}@pump"], ids=["plain", "grounded"])


def ids(answer, stream):
    return {chunk["id"] for chunk in answer.chunks()} if stream else {answer.json()["id"]}


@MODELS
@STREAMED
def test_a_clients_id_becomes_the_completions(lastro, model, stream):
    mine = f"my-request-{uuid.uuid4()}"
    answer = send(lastro.url, "POST", "/v1/chat/completions", chat(model=model, content=QUESTION, stream=stream), {"X-Request-Id": mine})
    assert answer.status == 200, answer.body
    assert ids(answer, stream) == {f"chatcmpl-{mine}"}
    assert answer.headers["x-request-id"] == mine


@MODELS
@STREAMED
def test_without_one_lastro_makes_one_and_says_it(lastro, model, stream):
    seen = set()
    for _ in range(2):
        answer = send(lastro.url, "POST", "/v1/chat/completions", chat(model=model, content=QUESTION, stream=stream))
        assert answer.status == 200, answer.body
        made = answer.headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", made)
        assert ids(answer, stream) == {f"chatcmpl-{made}"}
        seen.add(made)
    assert len(seen) == 2


def test_other_routes_have_one_too(lastro):
    body = {"model": MODEL, "prompt": "A river is", "max_tokens": 3}
    answer = send(lastro.url, "POST", "/v1/completions", body)
    assert answer.status == 200 and answer.headers["x-request-id"] in answer.json()["id"]
    answer = send(lastro.url, "POST", "/v1/completions", body, {"X-Request-Id": "mine"})
    assert answer.status == 200 and "mine" in answer.json()["id"]


def test_an_error_of_vllm_has_one_as_well(lastro):
    answer = send(lastro.url, "POST", "/v1/chat/completions", chat(model="nope"))
    assert answer.status == 404 and re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
