"""File batches through the official openai SDK for Python, unmodified."""
import io

import openai
import pytest

from world import wait_for


def upload(client, name, text="Some text."):
    return client.files.create(file=(name, text.encode()), purpose="assistants").id


def counts(batch):
    return batch.file_counts.to_dict()


def test_upload_and_poll(client, store):
    streams = [(f"{number}.txt", io.BytesIO(b"Number %d is a number." % number)) for number in range(6)]
    already = upload(client, "already.txt", "This one was there before.")
    batch = client.vector_stores.file_batches.upload_and_poll(store.id, files=streams, file_ids=[already])
    assert (batch.object, batch.vector_store_id, batch.status) == ("vector_store.files_batch", store.id, "completed")
    assert batch.id.startswith("vsfb_")
    assert counts(batch) == {"in_progress": 0, "completed": 7, "failed": 0, "cancelled": 0, "total": 7}
    assert client.vector_stores.retrieve(store.id).file_counts.completed == 7
    assert already in {file.id for file in client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id)}


def test_a_batch_with_attributes_for_each_file(client, store):
    one, two = upload(client, "one.txt"), upload(client, "two.txt")
    batch = client.vector_stores.file_batches.create_and_poll(store.id, files=[
        {"file_id": one, "attributes": {"year": 2001}},
        {"file_id": two, "attributes": {"year": 2002},
         "chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}},
    ])
    assert counts(batch)["completed"] == 2
    files = client.vector_stores.files
    assert files.retrieve(one, vector_store_id=store.id).attributes == {"year": 2001}
    second = files.retrieve(two, vector_store_id=store.id)
    assert second.attributes == {"year": 2002} and second.chunking_strategy.static.max_chunk_size_tokens == 100


def test_a_batch_with_attributes_for_all_files(client, store):
    ids = [upload(client, name) for name in ("one.txt", "two.txt")]
    batch = client.vector_stores.file_batches.create_and_poll(store.id, file_ids=ids, attributes={"kind": "note"})
    assert client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id).to_dict() == batch.to_dict()
    for file in ids:
        assert client.vector_stores.files.retrieve(file, vector_store_id=store.id).attributes == {"kind": "note"}


def test_the_files_of_a_batch_are_listed_and_filtered(client, store):
    outside = upload(client, "outside.txt")
    client.vector_stores.files.create_and_poll(outside, vector_store_id=store.id)
    good, bad = [upload(client, f"{number}.txt") for number in range(3)], upload(client, "empty.txt", "")
    batches = client.vector_stores.file_batches
    batch = batches.create_and_poll(store.id, file_ids=[*good, bad])
    assert counts(batch) == {"in_progress": 0, "completed": 3, "failed": 1, "cancelled": 0, "total": 4}
    listed = [file.id for file in batches.list_files(batch.id, vector_store_id=store.id, order="asc", limit=2)]
    assert sorted(listed) == sorted([*good, bad]), "all pages, and none from outside the batch"
    failed, = batches.list_files(batch.id, vector_store_id=store.id, filter="failed")
    assert failed.id == bad and failed.last_error.message
    before = batches.list_files(batch.id, vector_store_id=store.id, order="asc", before=listed[2], limit=1)
    assert [file.id for file in before.data] == [listed[1]]


def test_a_batch_is_cancelled(client, store):
    # Long enough that it cannot be done before the call that cancels it.
    ids = [upload(client, f"{number}.txt", "\n\n".join(f"Paragraph {line} of book {number} tells of the sea." * 20 for line in range(40)))
           for number in range(30)]
    batches = client.vector_stores.file_batches
    batch = batches.create(store.id, file_ids=ids)
    assert (batch.status, batch.file_counts.total) == ("in_progress", 30)
    assert client.vector_stores.retrieve(store.id).status == "in_progress"
    cancelled = batches.cancel(batch.id, vector_store_id=store.id)
    assert cancelled.id == batch.id and cancelled.status in ("in_progress", "cancelled")
    wait_for(lambda: batches.retrieve(batch.id, vector_store_id=store.id).file_counts.in_progress == 0)
    after = batches.retrieve(batch.id, vector_store_id=store.id)
    assert after.status == "cancelled" and after.file_counts.cancelled > 0
    assert after.file_counts.completed + after.file_counts.cancelled == after.file_counts.total == 30
    stopped = list(batches.list_files(batch.id, vector_store_id=store.id, filter="cancelled"))
    assert len(stopped) == after.file_counts.cancelled
    assert client.files.retrieve(stopped[0].id).id == stopped[0].id, "the file itself stays"
    assert client.vector_stores.retrieve(store.id).status == "completed"


def test_a_finished_batch_is_not_cancelled(client, store):
    batch = client.vector_stores.file_batches.create_and_poll(store.id, file_ids=[upload(client, "one.txt")])
    with pytest.raises(openai.BadRequestError) as error:
        client.vector_stores.file_batches.cancel(batch.id, vector_store_id=store.id)
    assert "completed" in error.value.body["message"]
    assert client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id).status == "completed"


@pytest.mark.parametrize("fields, param", [
    ({}, "file_ids"),
    ({"file_ids": []}, "file_ids"),
    ({"files": []}, "files"),
    ({"file_ids": [f"file-{number}" for number in range(2001)]}, "file_ids"),
    ({"file_ids": ["file-a"], "files": [{"file_id": "file-a"}]}, "files"),
    ({"file_ids": "file-a"}, "file_ids"),
    ({"files": [{"attributes": {}}]}, "files"),
])
def test_a_batch_that_cannot_be_is_refused(client, store, fields, param):
    with pytest.raises(openai.BadRequestError) as error:
        client.post(f"/vector_stores/{store.id}/file_batches", body=fields, cast_to=object)
    assert (error.value.param or "").startswith(param), error.value.body


def test_a_batch_with_a_file_of_nobody_attaches_nothing(client, store):
    with pytest.raises((openai.NotFoundError, openai.BadRequestError)):
        client.vector_stores.file_batches.create(store.id, file_ids=[upload(client, "one.txt"), "file-of-nobody"])
    assert client.vector_stores.retrieve(store.id).file_counts.total == 0


def test_a_batch_belongs_to_its_store(client, store):
    other = client.vector_stores.create(name="another store")
    batch = client.vector_stores.file_batches.create_and_poll(store.id, file_ids=[upload(client, "one.txt")])
    batches = client.vector_stores.file_batches
    for call in (batches.retrieve, batches.cancel, batches.list_files):
        with pytest.raises(openai.NotFoundError):
            call(batch.id, vector_store_id=other.id)
    client.vector_stores.delete(other.id)
