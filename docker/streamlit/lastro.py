"""lastro over plain HTTP: collections, documents and what was behind an answer. answers.py asks, with OpenAI's SDK."""
import os
from urllib.parse import quote, urlsplit

import httpx

URL = os.environ.get("LASTRO_URL", "").strip().rstrip("/").removesuffix("/v1") or "http://127.0.0.1:8080"
KEY = os.environ.get("LASTRO_KEY", "").strip()
MODEL = os.environ.get("LASTRO_MODEL", "").strip()
PUBLIC_URL = os.environ.get("LASTRO_PUBLIC_URL", "").strip().rstrip("/").removesuffix("/v1")
# lastro gives itself as much for one request, and an upload is on disk before it answers.
UPLOAD_SECONDS = 600


class Refused(Exception):
    """lastro did not do what was asked. `kind` picks the advice in texts.py; `message` is what lastro itself said."""

    def __init__(self, kind, message="", code=""):
        super().__init__(message or kind)
        self.kind, self.message, self.code = kind, message, code


def refusal(response):
    """What an answer that is not 200 means for whoever looks at the page."""
    try:
        error = response.json()["error"]
        message, code = error.get("message") or "", error.get("code") or ""
    except (ValueError, KeyError, TypeError, AttributeError):
        message, code = f"HTTP {response.status_code}", ""
    if response.status_code == 401:
        kind = "wrong_key" if KEY else "no_key"
    elif code == "insufficient_scope":
        kind = "no_scope"
    elif response.status_code in (502, 504):
        kind = "upstream"
    else:
        kind = "refused"
    return Refused(kind, message, str(code))


client = httpx.Client(base_url=URL, headers={"Authorization": f"Bearer {KEY}"} if KEY else {},
                      timeout=httpx.Timeout(10, connect=3))


def call(method, path, **options):
    try:
        response = client.request(method, path, **options)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise Refused("unreachable", str(error)) from error
    if not response.is_success:
        raise refusal(response)
    return response


def ready():
    """What /ready says: `embedding` and `upstream`, each with a `status`, and upstream's models. It answers 503 while the embedding
    model loads, and tells whoever has no key nothing but `ready`."""
    try:
        said = client.get("/ready").json()
    except (httpx.TransportError, httpx.InvalidURL, ValueError) as error:
        raise Refused("unreachable", str(error)) from error
    if not isinstance(said, dict) or "ready" not in said:
        raise Refused("unreachable", f"{URL}/ready is not lastro's")
    upstream = said.setdefault("upstream", {"status": "failed" if KEY else "unknown"})
    if upstream["status"] == "ready" and "models" not in upstream:
        # A key that may not ask the LLM server itself sees its models in the list, before those of ours.
        upstream["models"] = [model["id"] for model in call("GET", "/v1/models").json()["data"]]
    return said


def model():
    """The LLM server's first model."""
    upstream = ready()["upstream"]
    if not upstream.get("models"):
        raise Refused("upstream", upstream.get("message") or "it lists no models")
    return upstream["models"][0]


def collections():
    """Every collection that the key sees, by name."""
    found, after = [], {}
    while True:
        page = call("GET", "/v1/vector_stores", params={"limit": 100, **after}).json()
        found += page["data"]
        if not page["has_more"]:
            return sorted(found, key=lambda collection: collection["name"].casefold())
        after = {"after": page["last_id"]}


def create(name):
    return call("POST", "/v1/vector_stores", json={"name": name}).json()


def documents(collection):
    return call("GET", f"/v1/vector_stores/{quote(collection)}/documents").json()["data"]


def upload(collection, name, file):
    """Sends one file; the document as it stands then. The same bytes twice are one document."""
    timeout = httpx.Timeout(UPLOAD_SECONDS, connect=3)
    return call("POST", f"/v1/vector_stores/{quote(collection)}/documents", files={"file": (name, file)}, timeout=timeout).json()["data"][0]


def trace(number):
    """The passages behind an answer, kept for about an hour."""
    return call("GET", f"/v1/rag/traces/{quote(number)}").json()


def original(document):
    return call("GET", f"/v1/files/{quote(document)}/content").content


def link(document, page):
    """Where a browser finds the original at its page, if it can: it has no key to send, and may not reach lastro."""
    base = PUBLIC_URL or (URL if urlsplit(URL).hostname in ("127.0.0.1", "localhost", "::1") else "")
    if KEY or not base:
        return None
    return f"{base}/v1/files/{quote(document)}/content" + (f"#page={page}" if page else "")
