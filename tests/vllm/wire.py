"""HTTP as it is on the wire: the same request to vLLM and to lastro, and what became of it compared byte for byte."""
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
# Headers of one connection; and with them those of the moment.
CONNECTION = {"connection", "keep-alive", "transfer-encoding"}
MOMENTARY = CONNECTION | {"date"}
# Strings that come in pieces.
PIECES = {"content", "text", "arguments", "delta", "partial_json"}
CHAT = "/v1/chat/completions"
# What lastro says with an answer, where vLLM said nothing under that name.
ADDED = {"x-request-id"}
ADDED_GROUNDED = ADDED | {"server-timing", "x-accel-buffering", "cache-control", "x-rag-status", "x-rag-collection", "x-rag-hits",
                          "x-rag-found", "x-rag-left-out", "x-rag-sources", "x-rag-trace-id"}


def mask(body):
    """JSON with the same id and time in every place."""
    return OWN.sub(lambda found: found[1] + b"*" if found[1] else found[2] + b"0", body)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.raw_headers = response.getheaders()
        self.headers = {name.lower(): value for name, value in self.raw_headers}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def masked(self):
        return mask(self.body)

    def is_stream(self):
        return self.headers["content-type"].startswith("text/event-stream")

    def said(self):
        """What an answer says, however vLLM cut it into events: that depends on how busy the machine is."""
        if not self.is_stream():
            return self.masked()
        found = {}
        for block in self.masked().split(b"\n\n"):
            for line in filter(None, block.split(b"\n")):
                name, _, value = line.decode().partition(": ")
                gather(found, (name,), json.loads(value) if value.startswith("{") else value)
        return found

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


def gather(found, path, value):
    """Puts a piece of a stream to the pieces before it, by its place in the JSON."""
    if isinstance(value, dict):
        for name, part in value.items():
            gather(found, (*path, name), part)
    elif isinstance(value, list) and value and all(isinstance(part, dict) and "index" in part for part in value):
        for part in value:
            gather(found, (*path, part["index"]), part)
    elif isinstance(value, list):
        found.setdefault(path, []).extend(value)
    elif isinstance(value, str) and path[-1] in PIECES:
        found[path] = found.get(path, "") + value
    elif isinstance(value, str):
        found.setdefault(path, set()).add(value)
    elif isinstance(value, (int, float)) and path[-1] != "sequence_number":
        found[path] = value


class Pair:
    """vLLM; lastro before it; and the tap between them."""

    def __init__(self, direct, relayed, tap):
        self.direct, self.relayed, self.tap = direct, relayed, tap

    def same(self, method, path, body=None, headers=None, status=200):
        """Asks both, and holds that both answers are the same; returns the one that came through lastro."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return self._ask(method, path, body, body, headers, status, ADDED)

    def chat(self, status=200, **fields):
        """A chat as it is."""
        return self.same("POST", CHAT, chat(**fields), request_id(), status)

    def grounded_chat(self, collection, status=200, **fields):
        """A chat about a collection, and directly the prompt that lastro says it makes of it."""
        body = json.dumps(chat(**{"model": f"{MODEL}@{collection}", **fields})).encode()
        prompt = preview(self.relayed, body)
        relayed = self._ask("POST", CHAT, prompt, body, request_id(), status, ADDED_GROUNDED)
        # A hit: the document went in whole. Lexical: passages of it, found by words.
        assert relayed.headers["x-rag-status"] in ("hit", "lexical"), relayed.headers
        assert int(relayed.headers["x-rag-hits"]) > 0
        return relayed

    def _ask(self, method, path, prompt, body, headers, status, added):
        direct = send(self.direct, method, path, prompt, headers)
        assert direct.status == status, direct.body
        self.tap.forget()
        relayed = send(self.relayed, method, path, body, headers)
        sent, response = self.tap.exchange(method, path)
        assert sent == (prompt or b""), "what reached vLLM is not what was to be sent"
        compare(Answer(response), relayed, added)
        assert relayed.status == direct.status, relayed.body
        assert compared(relayed.raw_headers, MOMENTARY, direct.headers) == compared(direct.raw_headers, MOMENTARY)
        assert relayed.said() == direct.said()
        return relayed


def request_id():
    """The same id for both: it becomes the answer's, and a length that differed would show."""
    return {"X-Request-Id": uuid.uuid4().hex}


def preview(server, body):
    """The bytes of the request that lastro would send upstream."""
    answer = send(server, "POST", "/v1/rag/preview", body)
    assert answer.status == 200, answer.body
    text = answer.body.decode()
    start = text.index('"request":') + len('"request":')
    _, end = json.JSONDecoder().raw_decode(text, start)
    return text[start:end].encode()


def compare(upstream, relayed, added):
    """Holds that a client received what vLLM said: every header that is not of the connection, and every byte."""
    assert relayed.status == upstream.status, (relayed.status, relayed.body, upstream.status, upstream.body)
    assert compared(relayed.raw_headers, CONNECTION, upstream.headers) == compared(upstream.raw_headers, CONNECTION)
    extra = set(relayed.headers) - set(upstream.headers) - CONNECTION
    assert extra <= added, f"headers that vLLM did not send: {extra - added}"
    assert relayed.body == upstream.body


def compared(headers, without, names=None):
    headers = [(name.lower(), value) for name, value in headers if name.lower() not in without]
    return sorted((name, value) for name, value in headers if names is None or name in names)


def chat(content="Tell me about rivers.", **fields):
    """A chat whose answer is always the same."""
    return {"model": MODEL, "temperature": 0, "seed": 7, "max_tokens": 24, "messages": [{"role": "user", "content": content}], **fields}
