"""A client that leaves ends its work in vLLM: counted by vLLM's own metrics."""
import json
import socket
from urllib.parse import urlsplit

import pytest

from documents import QUESTION
from vllm_server import MODEL, PLACES
from wire import chat

# So long that it does not end by itself while a test looks.
LONG = {"ignore_eos": True, "max_tokens": 1500}
CLIENTS = 20


class Client:
    """A connection on which a chat was asked for, and which can be left at any moment."""

    def __init__(self, server, path="/v1/chat/completions", **fields):
        address = urlsplit(server)
        body = json.dumps(chat(**{"content": QUESTION, **LONG, **fields})).encode()
        self.socket = socket.create_connection((address.hostname, address.port), timeout=120)
        self.socket.sendall(f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def read_until(self, wanted):
        seen = b""
        while wanted not in seen:
            piece = self.socket.recv(65536)
            assert piece, f"the answer ended: {seen!r}"
            seen += piece

    def leave(self):
        self.socket.close()


def until_idle(vllm):
    vllm.wait_until("clients have left and vLLM still works for them", lambda: vllm.running() + vllm.waiting() == 0)


def test_streams_whose_clients_leave(vllm, lastro):
    before = vllm.metric("vllm:generation_tokens_total")
    clients = [Client(lastro.url, stream=True, model=MODEL if n % 2 else f"{MODEL}@pump") for n in range(CLIENTS)]
    vllm.wait_until("not all streams have begun or wait", lambda: vllm.running() + vllm.waiting() == CLIENTS)
    assert vllm.running() == PLACES
    for client in clients:
        client.leave()
    until_idle(vllm)
    made = vllm.metric("vllm:generation_tokens_total") - before
    assert made < PLACES * LONG["max_tokens"] / 2, f"vLLM wrote {made} tokens for nobody"


@pytest.mark.parametrize("model", [MODEL, f"{MODEL}@pump"], ids=["plain", "grounded"])
def test_a_client_that_leaves_in_the_middle(vllm, lastro, model):
    client = Client(lastro.url, stream=True, model=model)
    client.read_until(b'"content":" ')
    assert vllm.running() == 1
    client.leave()
    until_idle(vllm)


@pytest.mark.parametrize("model", [MODEL, f"{MODEL}@pump"], ids=["plain", "grounded"])
def test_a_client_that_waits_for_a_whole_answer_and_leaves(vllm, lastro, model):
    client = Client(lastro.url, model=model)
    vllm.wait_until("the request has not reached vLLM", lambda: vllm.running() == 1)
    client.leave()
    until_idle(vllm)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_client_that_leaves_before_the_first_byte(vllm, lastro, stream):
    """vLLM's places are taken by others, so that nothing is answered before the client leaves."""
    others = [Client(vllm.address, stream=True) for _ in range(PLACES)]
    vllm.wait_until("the places are not taken", lambda: vllm.running() == PLACES)
    client = Client(lastro.url, stream=stream)
    vllm.wait_until("the request does not wait", lambda: vllm.waiting() == 1)
    client.leave()
    vllm.wait_until("the request still waits", lambda: vllm.waiting() == 0)
    assert vllm.running() == PLACES, "the others had ended, and the request had got its turn"
    for other in others:
        other.leave()
    until_idle(vllm)


@pytest.mark.parametrize("path, fields", [
    ("/v1/completions", {"prompt": "A river is"}), ("/v1/messages", {}),
    ("/v1/responses", {"input": QUESTION, "max_output_tokens": 1500}),
], ids=["completions", "messages", "responses"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_other_routes_end_with_their_clients(vllm, lastro, path, fields, stream):
    client = Client(lastro.url, path, stream=stream, **fields)
    vllm.wait_until("the request has not reached vLLM", lambda: vllm.running() == 1)
    client.leave()
    until_idle(vllm)
