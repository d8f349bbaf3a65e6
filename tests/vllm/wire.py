"""HTTP as it is on the wire: the same request to two servers, and both answers compared byte for byte."""
import http.client
import json
import re
import uuid
from urllib.parse import urlsplit

from vllm_server import MODEL
from world import DEADLINE

# What vLLM makes anew for every answer: ids and times.
OWN = re.compile(rb"\b(chatcmpl-tool-|chatcmpl-|cmpl-|resp_|msg_|modelperm-)[0-9a-f]{16,}"
                 rb"|(\"created(?:_at)?\":)\d+(?:\.\d+)?")
# Of one connection, or of the moment.
NOT_COMPARED = {"date", "connection", "keep-alive", "transfer-encoding"}
# What lastro says with an answer, where vLLM said nothing under that name.
ADDED = {"x-request-id"}
ADDED_GROUNDED = ADDED | {"server-timing", "x-accel-buffering", "cache-control", "x-rag-status", "x-rag-collection", "x-rag-hits",
                          "x-rag-sources", "x-rag-trace-id"}


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.raw_headers = response.getheaders()
        self.headers = {name.lower(): value for name, value in self.raw_headers}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def masked(self):
        return OWN.sub(lambda found: (found[1] or found[2]) + b"*", self.body)

    def events(self):
        """The data of each server-sent event; the bytes must be nothing but such events."""
        blocks = self.body.split(b"\n\n")
        assert blocks.pop() == b"", "the stream ends within an event"
        return [re.fullmatch(rb"(?:event: .*\n)?data: (.*)", block.lstrip(b"\n"))[1].decode() for block in blocks]

    def chunks(self):
        """The JSON of each event of a chat or completion stream that ended as it should."""
        events = self.events()
        assert events.pop() == "[DONE]"
        return [json.loads(event) for event in events]

    def text(self):
        return "".join(choice["delta"].get("content") or "" for chunk in self.chunks() for choice in chunk["choices"])


def send(server, method, path, body=None, headers=None):
    """One request on a connection of its own. `body`: bytes as they are, or something to write as JSON."""
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    headers = {**({"Content-Type": "application/json"} if body else {}), **(headers or {})}
    connection = http.client.HTTPConnection(urlsplit(server).netloc, timeout=DEADLINE)
    try:
        connection.request(method, path, body, headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


class Pair:
    """vLLM, and lastro before it."""

    def __init__(self, direct, relayed):
        self.direct, self.relayed = direct, relayed

    def same(self, method, path, body=None, headers=None, status=200):
        """Asks both, and holds that both answers are the same; returns the one that came through lastro."""
        direct = send(self.direct, method, path, body, headers)
        relayed = send(self.relayed, method, path, body, headers)
        assert direct.status == status, direct.body
        compare(direct, relayed, ADDED)
        return relayed

    def chat(self, status=200, **fields):
        """A chat as it is."""
        return self.same("POST", "/v1/chat/completions", chat(**fields), request_id(), status)

    def grounded_chat(self, collection, status=200, headers=None, **fields):
        """A chat about a collection, and directly the prompt that lastro says it makes of it."""
        body = chat(**{"model": f"{MODEL}@{collection}", **fields})
        prompt = preview(self.relayed, body, headers)
        identity = request_id()
        direct = send(self.direct, "POST", "/v1/chat/completions", prompt, identity)
        relayed = send(self.relayed, "POST", "/v1/chat/completions", body, {**identity, **(headers or {})})
        assert direct.status == status, direct.body
        compare(direct, relayed, ADDED_GROUNDED)
        assert relayed.headers["x-rag-status"] == "lexical", relayed.headers
        assert int(relayed.headers["x-rag-hits"]) > 0
        return relayed


def request_id():
    """The same id for both: it becomes the answer's, and a length that differed would show."""
    return {"X-Request-Id": uuid.uuid4().hex}


def preview(server, body, headers=None):
    """The bytes of the request that lastro would send upstream."""
    answer = send(server, "POST", "/v1/rag/preview", body, headers)
    assert answer.status == 200, answer.body
    text = answer.body.decode()
    start = text.index('"request":') + len('"request":')
    _, end = json.JSONDecoder().raw_decode(text, start)
    return text[start:end].encode()


def compare(direct, relayed, added):
    assert relayed.status == direct.status, (relayed.status, relayed.body, direct.status, direct.body)
    assert compared(relayed.raw_headers, set(direct.headers)) == compared(direct.raw_headers)
    extra = set(relayed.headers) - set(direct.headers) - NOT_COMPARED
    assert extra <= added, f"headers that vLLM did not send: {extra - added}"
    assert relayed.masked() == direct.masked()


def compared(headers, names=None):
    kept = [(name.lower(), value) for name, value in headers if name.lower() not in NOT_COMPARED]
    return sorted((name, value) for name, value in kept if names is None or name in names)


def chat(content="Tell me about rivers.", **fields):
    """A chat whose answer is always the same."""
    return {"model": MODEL, "temperature": 0, "seed": 7, "max_tokens": 24, "messages": [{"role": "user", "content": content}], **fields}
