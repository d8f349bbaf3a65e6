"""Vector stores and the files in them, through the official openai SDK for Python, unmodified."""
import openai
import pytest

from world import sdk


def upload(client, name, text, purpose="assistants"):
    return client.files.create(file=(name, text.encode()), purpose=purpose).id


def test_a_store_is_created_changed_and_deleted(client):
    created = client.vector_stores.create(name="pumps", description="All about pumps.", metadata={"house": "blue"},
                                          expires_after={"anchor": "last_active_at", "days": 7})
    assert created.id.startswith("vs_") and created.object == "vector_store"
    assert (created.name, created.metadata, created.status, created.usage_bytes) == ("pumps", {"house": "blue"}, "completed", 0)
    assert created.file_counts.to_dict() == {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}
    assert created.expires_after.to_dict() == {"anchor": "last_active_at", "days": 7}
    assert created.expires_at == created.last_active_at + 7 * 86400
    assert client.vector_stores.retrieve(created.id).id == created.id

    changed = client.vector_stores.update(created.id, name="wells", metadata={"house": "red", "floor": "2"}, expires_after=None)
    assert (changed.name, changed.metadata, changed.expires_at) == ("wells", {"house": "red", "floor": "2"}, None)
    assert client.vector_stores.update(created.id, metadata={}).name == "wells", "what is not named stays"
    assert client.vector_stores.retrieve(created.id).metadata == {}

    deleted = client.vector_stores.delete(created.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (created.id, "vector_store.deleted", True)
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.retrieve(created.id)


def test_a_store_is_created_with_files_and_grows_and_shrinks(client):
    cellar, attic = upload(client, "cellar.txt", "The cellar is dry."), upload(client, "attic.txt", "The attic is damp.")
    store = client.vector_stores.create(file_ids=[cellar, attic])
    assert store.file_counts.total == 2
    assert [client.vector_stores.files.poll(file, vector_store_id=store.id).status for file in (cellar, attic)] == ["completed"] * 2
    full = client.vector_stores.retrieve(store.id)
    assert (full.status, full.file_counts.completed, full.file_counts.total) == ("completed", 2, 2) and full.usage_bytes > 0
    client.vector_stores.files.delete(attic, vector_store_id=store.id)
    less = client.vector_stores.retrieve(store.id)
    assert less.file_counts.total == 1 and 0 < less.usage_bytes < full.usage_bytes
    client.vector_stores.delete(store.id)
    assert client.files.retrieve(cellar).id == cellar, "a store's end is not its files' end"


def test_stores_are_listed_in_pages_both_ways(start):
    client = sdk(start(model=None))
    ids = [client.vector_stores.create(name=f"{number}").id for number in range(5)]
    assert [store.id for store in client.vector_stores.list()] == ids[::-1]
    assert [store.id for store in client.vector_stores.list(order="asc", limit=2)] == ids
    first = client.vector_stores.list(order="asc", limit=2)
    assert ([store.id for store in first.data], first.has_more) == (ids[:2], True)
    assert [store.id for store in client.vector_stores.list(order="asc", limit=2, after=ids[1]).data] == ids[2:4]
    assert [store.id for store in client.vector_stores.list(order="asc", limit=2, before=ids[3]).data] == ids[1:3]
    last = client.vector_stores.list(order="asc", limit=2, after=ids[3])
    assert ([store.id for store in last.data], last.has_more) == (ids[4:], False)


def test_a_file_is_attached_polled_read_and_detached(client, store):
    files = client.vector_stores.files
    file = upload(client, "well.md", "# Well\n\nThe well is nine metres deep.\n")
    done = files.create_and_poll(file, vector_store_id=store.id, attributes={"place": "garden", "depth": 9.5, "open": True},
                                 chunking_strategy={"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}})
    assert (done.id, done.object, done.vector_store_id, done.status) == (file, "vector_store.file", store.id, "completed")
    assert done.last_error is None and done.usage_bytes > 0
    assert done.attributes == {"place": "garden", "depth": 9.5, "open": True}
    assert done.chunking_strategy.to_dict() == {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}}
    assert files.retrieve(file, vector_store_id=store.id).to_dict() == done.to_dict()

    changed = files.update(file, vector_store_id=store.id, attributes={"place": "yard"})
    assert changed.attributes == {"place": "yard"}, "attributes are replaced whole"
    parts = list(files.content(file, vector_store_id=store.id))
    assert "nine metres" in "".join(part.text for part in parts) and {part.type for part in parts} == {"text"}

    gone = files.delete(file, vector_store_id=store.id)
    assert (gone.id, gone.object, gone.deleted) == (file, "vector_store.file.deleted", True)
    with pytest.raises(openai.NotFoundError):
        files.retrieve(file, vector_store_id=store.id)
    assert client.files.retrieve(file).id == file


def test_upload_and_poll(client, store):
    done = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("shed.txt", b"The shed is locked."),
                                                      attributes={"key": "brass"})
    assert (done.status, done.attributes) == ("completed", {"key": "brass"})
    assert done.chunking_strategy.type == "static", "the strategy that `auto` chose is told"
    assert client.files.retrieve(done.id).filename == "shed.txt"
    uploaded = client.vector_stores.files.upload(vector_store_id=store.id, file=("roof.txt", b"The roof is new."))
    assert client.vector_stores.files.poll(uploaded.id, vector_store_id=store.id).status == "completed"


def test_what_cannot_be_read_fails_with_a_reason(client, store):
    done = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("noise.pdf", bytes(range(256)) * 20))
    assert done.status == "failed" and done.last_error.code in ("server_error", "unsupported_file", "invalid_file")
    assert len(done.last_error.message) > 20
    assert client.vector_stores.retrieve(store.id).file_counts.failed == 1
    assert client.files.retrieve(done.id).bytes == 256 * 20


def test_files_in_a_store_are_listed_and_filtered(client, store):
    files = client.vector_stores.files
    ids = [files.upload_and_poll(vector_store_id=store.id, file=(f"{number}.txt", b"Number %d." % number)).id for number in range(4)]
    broken = files.upload_and_poll(vector_store_id=store.id, file=("broken.txt", b"")).id
    listed = list(files.list(store.id, order="asc", limit=2))
    assert [file.id for file in listed] == [*ids, broken]
    assert [file.id for file in files.list(store.id, filter="failed")] == [broken]
    assert [file.id for file in files.list(store.id, filter="completed", order="desc")] == ids[::-1]
    assert list(files.list(store.id, filter="in_progress")) == [] == list(files.list(store.id, filter="cancelled"))
    assert [file.id for file in files.list(store.id, order="asc", limit=2, before=ids[3]).data] == ids[1:3]


def test_one_file_in_two_stores(client, store):
    other, files = client.vector_stores.create(name="another store"), client.vector_stores.files
    file = upload(client, "lamp.txt", "The lamp is blue.")
    files.create_and_poll(file, vector_store_id=store.id, attributes={"room": "one"})
    files.create_and_poll(file, vector_store_id=other.id, attributes={"room": "two"})
    assert files.retrieve(file, vector_store_id=store.id).attributes == {"room": "one"}, "attributes belong to the place"
    files.delete(file, vector_store_id=store.id)
    assert files.retrieve(file, vector_store_id=other.id).status == "completed"
    found = client.vector_stores.search(other.id, query="What colour is the lamp?")
    assert [hit.file_id for hit in found.data] == [file]

    client.files.delete(file)  # while it is in use
    with pytest.raises(openai.NotFoundError):
        files.retrieve(file, vector_store_id=other.id)
    assert client.vector_stores.search(other.id, query="What colour is the lamp?").data == []
    assert client.vector_stores.retrieve(other.id).file_counts.total == 0
    client.vector_stores.delete(other.id)


def test_two_files_of_the_same_bytes_in_one_store(client, store):
    files, text = client.vector_stores.files, b"The stove burns wood."
    first, second = (files.upload_and_poll(vector_store_id=store.id, file=(name, text)).id for name in ("one.txt", "two.txt"))
    assert first != second and client.vector_stores.retrieve(store.id).file_counts.completed == 2
    client.files.delete(first)
    assert [hit.filename for hit in client.vector_stores.search(store.id, query="What does the stove burn?").data] == ["two.txt"]


def test_attaching_twice_is_once(client, store):
    files = client.vector_stores.files
    file = upload(client, "door.txt", "The door is green.")
    for colour in ("green", "red"):
        assert files.create_and_poll(file, vector_store_id=store.id, attributes={"colour": colour}).status == "completed"
    assert client.vector_stores.retrieve(store.id).file_counts.total == 1
