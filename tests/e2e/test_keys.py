"""Keys made by the command, and the official SDK with them."""
import openai
import pytest

from manual import FACT, MANUAL, QUESTION
from world import run, sdk


class Tenants:
    """A server that has keys."""

    def __init__(self, lastro):
        self.lastro = lastro

    def command(self, *arguments):
        done = run("keys", "--data", self.lastro.data, *arguments, cwd=self.lastro.data.parent)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def client(self, name, *arguments):
        key = self.command("create", name, *arguments)
        assert key.startswith("sk-lastro-") and len(key.split()) == 1
        return sdk(self.lastro, key)


@pytest.fixture
def tenants(start, llm):
    lastro = start()
    lastro.wait_until_ready()
    return Tenants(lastro)


def fill(client, name, text=MANUAL):
    store = client.vector_stores.create(name=name)
    file = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("zephyr-9.pdf", text))
    assert file.status == "completed", file
    return store.id, file.id


def refused(kind, call):
    with pytest.raises(kind) as error:
        call()
    return error.value


def test_with_a_key_a_server_is_closed_to_all_others(tenants):
    stranger = sdk(tenants.lastro)
    assert stranger.vector_stores.list().data == [], "without keys it answers whoever reaches it"
    mine = tenants.client("mine", "--scopes", "chat,ingest")
    for client in (stranger, sdk(tenants.lastro, "sk-lastro-guessed"), sdk(tenants.lastro, "sk-proj-of-somebody-else")):
        for call in (client.vector_stores.list, client.files.list, client.models.list,
                     lambda: client.chat.completions.create(model="smollm2", messages=[{"role": "user", "content": "Hi"}])):
            error = refused(openai.AuthenticationError, call)
            assert (error.status_code, error.code, error.type) == (401, "invalid_api_key", "invalid_request_error")
            assert "sk-" not in error.body["message"], "a key is not repeated"
    assert mine.vector_stores.list().data == []
    tenants.lastro.call("GET", "/health")


def test_a_key_does_all_of_it_and_another_sees_none_of_it(tenants):
    mine = tenants.client("mine", "--scopes", "chat,ingest")
    other = tenants.client("other", "--scopes", "chat,ingest")
    store, file = fill(mine, "pump")
    answer = mine.chat.completions.create(model="smollm2@pump", temperature=0, max_tokens=60,
                                          messages=[{"role": "user", "content": QUESTION}])
    assert FACT in answer.choices[0].message.content
    assert "smollm2@pump" in {model.id for model in mine.models.list()}

    assert other.vector_stores.list().data == [] == other.files.list().data
    assert not any("pump" in model.id for model in other.models.list())
    chat = {"model": "smollm2", "messages": [{"role": "user", "content": QUESTION}]}
    calls = [
        lambda: other.vector_stores.retrieve(store), lambda: other.vector_stores.retrieve("pump"),
        lambda: other.vector_stores.update(store, name="taken"), lambda: other.vector_stores.delete(store),
        lambda: other.vector_stores.search(store, query="pump"), lambda: other.vector_stores.files.list(store),
        lambda: other.vector_stores.files.content(file, vector_store_id=store),
        lambda: other.vector_stores.files.create(store, file_id=file),
        lambda: other.files.retrieve(file), lambda: other.files.content(file), lambda: other.files.delete(file),
        lambda: other.chat.completions.create(**chat, extra_headers={"X-RAG-Collection": "pump"}),
        lambda: other.chat.completions.create(**chat, tools=[{"type": "file_search", "vector_store_ids": [store]}]),
    ]
    for number, call in enumerate(calls):
        message = refused(openai.NotFoundError, call).body["message"]
        assert "zephyr" not in message.lower(), number
    own = other.vector_stores.create(name="pump").id  # a name belongs to nobody else
    with pytest.raises((openai.NotFoundError, openai.BadRequestError)):
        other.vector_stores.files.create(own, file_id=file)
    assert other.vector_stores.retrieve("pump").id == own and mine.vector_stores.retrieve("pump").id == store


def test_scopes_are_kept_apart(tenants):
    owner = tenants.client("owner", "--scopes", "chat,ingest")
    store, file = fill(owner, "pump")
    reader = tenants.client("reader", "--scopes", "chat", "--collection", "pump")
    assert reader.vector_stores.retrieve(store).name == "pump"
    assert reader.vector_stores.search(store, query=QUESTION).data
    for call in (lambda: reader.files.create(file=("a.txt", b"text"), purpose="assistants"),
                 lambda: reader.vector_stores.create(name="more"), lambda: reader.vector_stores.delete(store),
                 lambda: reader.vector_stores.files.delete(file, vector_store_id=store),
                 lambda: reader.completions.create(model="smollm2", prompt="Once"),
                 lambda: reader.embeddings.create(model="smollm2", input="of a model that is not ours")):
        error = refused(openai.PermissionDeniedError, call)
        assert (error.status_code, error.code) == (403, "insufficient_scope")
    for client in (reader, owner):
        headers = {"Authorization": f"Bearer {client.api_key}"}
        assert tenants.lastro.call("GET", "/admin/keys", 403, headers=headers).json()["error"]["code"] == "insufficient_scope"


def test_a_key_is_revoked_at_once(tenants):
    admin = tenants.client("admin", "--admin")
    mine = tenants.client("mine", "--scopes", "chat,ingest")
    store, _ = fill(mine, "pump")
    assert mine.vector_stores.retrieve(store).id == store
    assert admin.vector_stores.retrieve(store).id == store, "admin sees all"
    assert "mine" in tenants.command("list") and "sk-lastro" not in tenants.command("list")
    tenants.command("revoke", "mine")
    assert refused(openai.AuthenticationError, lambda: mine.vector_stores.retrieve(store)).code == "invalid_api_key"
    assert admin.vector_stores.retrieve(store).id == store


def test_more_is_granted_at_once(tenants):
    admin = tenants.client("admin", "--admin")
    reader = tenants.client("reader")
    store, _ = fill(admin, "pump")
    refused(openai.NotFoundError, lambda: reader.vector_stores.retrieve(store))
    tenants.command("grant", "reader", "pump")
    assert reader.vector_stores.retrieve("pump").id == store


def test_keys_have_limits(tenants):
    slow = tenants.client("slow", "--requests-per-minute", "3")
    for _ in range(3):
        slow.vector_stores.list()
    error = refused(openai.RateLimitError, slow.vector_stores.list)
    assert error.code == "rate_limit_exceeded" and int(error.response.headers["retry-after"]) >= 1

    small = tenants.client("small", "--scopes", "chat,ingest", "--max-documents", "1")
    store, _ = fill(small, "one", b"The first text.")
    with pytest.raises(openai.APIStatusError) as error:
        small.vector_stores.files.upload_and_poll(vector_store_id=store, file=("two.txt", b"The second text."))
    assert error.value.status_code in (403, 413, 429) and "1" in error.value.body["message"], error.value.body
