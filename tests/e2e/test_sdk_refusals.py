"""What vector stores refuse, as the official openai SDK for Python reports it: status, `param` and a message that helps."""
import openai
import pytest

UNKNOWN = "vs_00000000000000000000000000000000"


def refused(call, param, *arguments, **fields):
    with pytest.raises(openai.BadRequestError) as error:
        call(*arguments, **fields)
    assert error.value.type == "invalid_request_error" and len(error.value.body["message"]) > 10, error.value.body
    assert (error.value.param or "").startswith(param), error.value.body
    assert "code" in error.value.body


def many(number, size=1):
    return {f"key {n}": "v" * size for n in range(number)}


@pytest.mark.parametrize("param, fields", [
    ("name", {"name": 7}),
    ("metadata", {"metadata": many(17)}),
    ("metadata", {"metadata": {"k" * 65: "v"}}),
    ("metadata", {"metadata": many(1, 513)}),
    ("metadata", {"metadata": {"k": 7}}),
    ("metadata", {"metadata": ["k"]}),
    ("expires_after", {"expires_after": {"anchor": "last_active_at", "days": 0}}),
    ("expires_after", {"expires_after": {"anchor": "last_active_at", "days": 366}}),
    ("expires_after", {"expires_after": {"anchor": "created_at", "days": 1}}),
    ("expires_after", {"expires_after": {"days": 1}}),
    ("file_ids", {"file_ids": "file-a"}),
    ("file_ids", {"file_ids": [f"file-{number}" for number in range(501)]}),
    ("chunking_strategy", {"file_ids": [], "chunking_strategy": {"type": "clever"}}),
])
def test_a_store_that_cannot_be(client, param, fields):
    refused(client.vector_stores.create, param, **fields)


@pytest.mark.parametrize("param, fields", [("name", {"name": 7}), ("metadata", {"metadata": many(17)}),
                                           ("expires_after", {"expires_after": {"anchor": "last_active_at", "days": 366}})])
def test_a_change_that_cannot_be(client, store, param, fields):
    refused(client.vector_stores.update, param, store.id, **fields)
    assert client.vector_stores.retrieve(store.id).name == store.name


@pytest.mark.parametrize("param, fields", [
    ("attributes", {"attributes": many(17)}),
    ("attributes", {"attributes": {"k" * 65: "v"}}),
    ("attributes", {"attributes": many(1, 513)}),
    ("attributes", {"attributes": {"k": ["a", "list"]}}),
    ("attributes", {"attributes": {"k": None}}),
    ("chunking_strategy", {"chunking_strategy": {"type": "clever"}}),
    ("chunking_strategy", {"chunking_strategy": {"type": "static"}}),
    ("chunking_strategy", {"chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 99, "chunk_overlap_tokens": 0}}}),
    ("chunking_strategy", {"chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 4097, "chunk_overlap_tokens": 0}}}),
    ("chunking_strategy", {"chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 51}}}),
    ("chunking_strategy", {"chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": -1}}}),
])
def test_an_attachment_that_cannot_be(client, store, param, fields):
    file = client.files.create(file=("a.txt", b"text"), purpose="assistants").id
    refused(client.vector_stores.files.create, param, store.id, file_id=file, **fields)
    assert client.vector_stores.retrieve(store.id).file_counts.total == 0
    client.files.delete(file)


def test_attributes_at_their_limits_are_taken(client, store):
    attributes = {("k%02d" % number).ljust(64, "k"): "ã" * 512 for number in range(16)}
    file = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("a.txt", b"text"), attributes=attributes)
    assert client.vector_stores.files.retrieve(file.id, vector_store_id=store.id).attributes == attributes
    refused(client.vector_stores.files.update, "attributes", file.id, vector_store_id=store.id, attributes=many(17))
    assert client.vector_stores.files.retrieve(file.id, vector_store_id=store.id).attributes == attributes


@pytest.mark.parametrize("field, query", [("limit", {"limit": 0}), ("limit", {"limit": 101}), ("limit", {"limit": "ten"}),
                                          ("order", {"order": "sideways"})])
def test_a_page_that_cannot_be(client, store, field, query):
    refused(client.vector_stores.list, field, **query)
    refused(client.vector_stores.files.list, field, store.id, **query)


def test_an_unknown_status_to_filter_by(client, store):
    refused(client.vector_stores.files.list, "filter", store.id, filter="tired")


def test_ids_of_nothing_and_of_the_wrong_kind_are_not_found(client, store):
    stores, files, batches = client.vector_stores, client.vector_stores.files, client.vector_stores.file_batches
    file = client.files.create(file=("a.txt", b"text"), purpose="assistants").id
    calls = [
        lambda: stores.retrieve(UNKNOWN), lambda: stores.retrieve(file), lambda: stores.delete(UNKNOWN),
        lambda: stores.update(UNKNOWN, name="x"), lambda: stores.search(UNKNOWN, query="x"),
        lambda: client.files.retrieve(store.id), lambda: client.files.content("file-of-nobody"), lambda: client.files.delete(store.id),
        lambda: files.list(UNKNOWN), lambda: files.create(UNKNOWN, file_id=file),
        lambda: files.retrieve("file-of-nobody", vector_store_id=store.id), lambda: files.retrieve(file, vector_store_id=store.id),
        lambda: files.delete(file, vector_store_id=store.id), lambda: files.content(file, vector_store_id=store.id),
        lambda: files.update(file, vector_store_id=store.id, attributes={}),
        lambda: batches.retrieve("vsfb_nothing", vector_store_id=store.id), lambda: batches.retrieve(file, vector_store_id=store.id),
        lambda: batches.create(UNKNOWN, file_ids=[file]),
    ]
    for number, call in enumerate(calls):
        with pytest.raises(openai.NotFoundError) as error:
            call()
            pytest.fail(f"call {number} was answered")
        assert error.value.code and error.value.code.endswith("_not_found") and error.value.body["message"], number
    with pytest.raises((openai.NotFoundError, openai.BadRequestError)):
        files.create(store.id, file_id="file-of-nobody")
    client.files.delete(file)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b'{"name": "a", "name": "b"', b"\xff\xfe", b"null"])
def test_a_body_that_is_no_object(lastro, store, body):
    answer = lastro.call("POST", f"/v1/vector_stores/{store.id}/search", 400, data=body, headers={"Content-Type": "application/json"})
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_two_stores_of_one_name_cannot_be_meant_by_it(client):
    twins = [client.vector_stores.create(name="twins") for _ in range(2)]
    with pytest.raises(openai.BadRequestError) as error:
        client.vector_stores.retrieve("twins")
    assert error.value.code == "ambiguous_collection"
    client.vector_stores.delete(twins[0].id)
    assert client.vector_stores.retrieve("twins").id == twins[1].id
    client.vector_stores.delete(twins[1].id)
