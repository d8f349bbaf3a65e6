"""Everything else under /v1, which lastro does not read."""
import pytest

from test_fidelity import STREAMED
from vllm_server import MODEL, WINDOW
from wire import mask, request_id, send

PROMPT = {"model": MODEL, "prompt": "A river is", "temperature": 0, "seed": 7, "max_tokens": 12}


@STREAMED
@pytest.mark.parametrize("fields", [{}, {"n": 2, "temperature": 0.9}, {"prompt": ["A river", "Um rio"]}, {"logprobs": 2},
                                    {"prompt": [504, 9690, 314], "ignore_eos": True}],
                         ids=["one", "two choices", "two prompts", "logprobs", "token ids"])
def test_completions(pair, fields, stream):
    answer = pair.same("POST", "/v1/completions", {**PROMPT, **fields, "stream": stream}, request_id())
    if stream:
        assert len(answer.chunks()) > 1


def test_completions_that_echo(pair):
    answer = pair.same("POST", "/v1/completions", {**PROMPT, "echo": True, "logprobs": 1}, request_id())
    assert answer.json()["choices"][0]["text"].startswith(PROMPT["prompt"])


@STREAMED
def test_responses(pair, stream):
    body = {"model": MODEL, "input": "Tell me about rivers.", "temperature": 0, "max_output_tokens": 12, "stream": stream}
    answer = pair.same("POST", "/v1/responses", body, request_id())
    if stream:
        assert b"event: response.completed\n" in answer.body or b"event: response.incomplete\n" in answer.body


@STREAMED
def test_messages(pair, stream):
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Tell me about rivers."}], "temperature": 0, "max_tokens": 12,
            "stream": stream}
    answer = pair.same("POST", "/v1/messages", body, request_id())
    assert (b"event: message_stop\n" if stream else b'"stop_reason":"max_tokens"') in answer.body


def test_messages_in_error(pair):
    pair.same("POST", "/v1/messages", {"model": "nope", "messages": [], "max_tokens": 1}, status=404)


def test_a_model_that_does_not_embed(pair):
    answer = send(pair.direct, "POST", "/v1/embeddings", {"model": MODEL, "input": "x"})
    pair.same("POST", "/v1/embeddings", {"model": MODEL, "input": "x"}, status=answer.status)


def test_a_route_that_this_vllm_has_switched_off(pair):
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Tell me about rivers."}]}
    pair.same("POST", "/v1/chat/completions/render", body, request_id(), status=403)


def test_an_address_that_names_a_collection_relays_the_rest(pair):
    direct = send(pair.direct, "POST", "/v1/completions", PROMPT)
    relayed = send(pair.relayed, "POST", "/c/pump/v1/completions", PROMPT)
    assert direct.status == relayed.status == 200
    assert direct.json()["choices"] == relayed.json()["choices"]


def test_models_are_vllms_and_the_same_with_each_collection(pair, lastro):
    direct, relayed = (send(server, "GET", "/v1/models") for server in (pair.direct, pair.relayed))
    assert relayed.status == 200 and relayed.headers["content-type"] == direct.headers["content-type"]
    own, *others = direct.json()["data"]
    assert not others and own["id"] == MODEL and own["max_model_len"] == WINDOW
    models = {model["id"]: model for model in relayed.json()["data"]}
    collections = [collection["name"] for collection in lastro.call("GET", "/v1/vector_stores").json()["data"]]
    assert "pump" in collections and set(models) == {MODEL, *(f"{MODEL}@{name}" for name in collections)}
    for model in models.values():
        assert set(model) == set(own) and model["max_model_len"] == WINDOW and model["owned_by"] == own["owned_by"]
    # vLLM's own entry is in the list byte for byte, but for the moment and the ids that it is given at every call.
    entry = direct.body[direct.body.index(b"[") + 1:direct.body.rindex(b"]")]
    assert b'"data":[' + mask(entry) in mask(relayed.body)
    assert int(relayed.headers.get("content-length", len(relayed.body))) == len(relayed.body)


@pytest.mark.parametrize("path", ["/version", "/tokenize", "/metrics/", "/inference/v1/generate"])
def test_what_is_not_under_v1_is_not_relayed(pair, path):
    assert send(pair.relayed, "POST", path, {"model": MODEL, "prompt": "x"}).status == 404
