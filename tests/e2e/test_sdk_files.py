"""/v1/files through the official openai SDK for Python, unmodified."""
import io

import openai
import pytest

from world import sdk


def names(page):
    return [file.filename for file in page]


def test_a_file_is_created_read_and_deleted(client, tmp_path):
    path = tmp_path / "cellar notes.txt"
    path.write_bytes("The cellar is dry. Olá!\r\n".encode())
    with open(path, "rb") as file:
        created = client.files.create(file=file, purpose="assistants")
    assert created.id.startswith("file-") and created.object == "file"
    assert (created.filename, created.bytes, created.purpose) == ("cellar notes.txt", path.stat().st_size, "assistants")
    assert created.status in ("uploaded", "processed") and created.expires_at is None
    assert client.files.retrieve(created.id).to_dict() == created.to_dict()
    assert client.files.content(created.id).read() == path.read_bytes()
    assert client.files.wait_for_processing(created.id, max_wait_seconds=60).id == created.id

    deleted = client.files.delete(created.id)
    assert (deleted.id, deleted.object, deleted.deleted) == (created.id, "file", True)
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError) as error:
            call(created.id)
        assert error.value.body["message"] and error.value.code == "file_not_found"


def test_any_bytes_come_back_as_they_were(client):
    data = bytes(range(256)) * 300
    created = client.files.create(file=("every byte.bin", io.BytesIO(data)), purpose="user_data")
    assert client.files.content(created.id).read() == data
    client.files.delete(created.id)


def test_two_files_of_the_same_bytes_are_two_files(client):
    first, second = (client.files.create(file=(name, b"The same."), purpose="assistants") for name in ("one.txt", "two.txt"))
    assert first.id != second.id
    client.files.delete(first.id)
    assert client.files.content(second.id).read() == b"The same."
    client.files.delete(second.id)


def test_a_file_may_expire(client):
    created = client.files.create(file=("soon.txt", b"Gone in an hour."), purpose="assistants",
                                  expires_after={"anchor": "created_at", "seconds": 3600})
    assert created.expires_at == created.created_at + 3600
    assert client.files.retrieve(created.id).expires_at == created.expires_at
    client.files.delete(created.id)


def test_files_are_listed_in_pages(start):
    client = sdk(start(model=None))
    assert names(client.files.list()) == []
    for number in range(7):
        client.files.create(file=(f"{number}.txt", b"%d" % number), purpose="assistants" if number % 2 else "user_data")
    assert names(client.files.list()) == ["6.txt", "5.txt", "4.txt", "3.txt", "2.txt", "1.txt", "0.txt"], "newest first"
    assert names(client.files.list(order="asc", purpose="assistants")) == ["1.txt", "3.txt", "5.txt"]

    page = client.files.list(order="asc", limit=3)
    assert (page.has_more, page.first_id, page.last_id) == (True, page.data[0].id, page.data[-1].id)
    assert [file.filename for file in page.data] == ["0.txt", "1.txt", "2.txt"]
    assert names(page) == [f"{number}.txt" for number in range(7)], "the SDK turns the pages"
    rest = client.files.list(order="asc", limit=4, after=page.last_id)
    assert [file.filename for file in rest.data] == ["3.txt", "4.txt", "5.txt", "6.txt"] and rest.has_more is False


@pytest.mark.parametrize("field, fields", [
    ("purpose", {"purpose": "decoration"}),
    ("expires_after", {"expires_after": {"anchor": "created_at", "seconds": 3599}}),
    ("expires_after", {"expires_after": {"anchor": "created_at", "seconds": 2592001}}),
    ("expires_after", {"expires_after": {"anchor": "last_active_at", "seconds": 3600}}),
])
def test_a_file_with_a_wrong_field_is_refused(client, field, fields):
    with pytest.raises(openai.BadRequestError) as error:
        client.files.create(**{"file": ("a.txt", b"text"), "purpose": "assistants", **fields})
    assert error.value.type == "invalid_request_error" and error.value.body["message"]
    assert (error.value.param or "").startswith(field), error.value.body


@pytest.mark.parametrize("field, query", [("limit", {"limit": 0}), ("limit", {"limit": 10001}), ("order", {"order": "sideways"}),
                                          ("after", {"after": "file-of-nobody"})])
def test_a_page_that_cannot_be_is_refused(client, field, query):
    with pytest.raises((openai.BadRequestError, openai.NotFoundError)) as error:
        client.files.list(**query)
    assert error.value.param == field, error.value.body


def test_all_files_and_stores_are_deleted_while_they_are_listed(start):
    """The SDK asks for the next page after the last element of this one, which is gone by then."""
    client = sdk(start(model=None))
    for number in range(5):
        store = client.vector_stores.create(name=f"store {number}")
    ids = [client.files.create(file=(f"{number}.txt", f"Text {number}.".encode()), purpose="assistants").id for number in range(9)]
    batch = client.vector_stores.file_batches.create_and_poll(vector_store_id=store.id, file_ids=ids)
    assert batch.file_counts.completed == 9
    detached = []
    for file in client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id, limit=2, order="asc"):
        client.vector_stores.files.delete(file.id, vector_store_id=store.id)
        detached.append(file.id)
    assert detached == ids
    client.vector_stores.file_batches.create_and_poll(vector_store_id=store.id, file_ids=ids)
    for file in client.vector_stores.files.list(store.id, limit=2):
        client.vector_stores.files.delete(file.id, vector_store_id=store.id)
    for file in client.files.list(limit=4):
        client.files.delete(file.id)
    for store in client.vector_stores.list(limit=2):
        client.vector_stores.delete(store.id)
    assert not list(client.files.list()) and not list(client.vector_stores.list())


def test_a_file_says_why_it_could_not_be_read(client, store):
    broken = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("empty.txt", b" \n"))
    assert broken.status == "failed"
    file = client.files.retrieve(broken.id)
    assert file.status == "error" and file.status_details == broken.last_error.message
    client.files.delete(broken.id)


@pytest.mark.parametrize("purpose", ["assistants_output", "batch_output", "fine-tune-results"])
def test_results_of_other_programs_have_a_place(client, purpose):
    created = client.files.create(file=("results.jsonl", b"{}"), purpose=purpose)
    assert created.purpose == purpose and [file.id for file in client.files.list(purpose=purpose)] == [created.id]
    client.files.delete(created.id)
