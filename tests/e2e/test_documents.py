"""Documents: uploaded once, refused with a reason, deleted for good."""
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from manual import FACT, MANUAL, QUESTION
from pdf import pdf
from world import DEADLINE, wait_for


def counts(lastro, collection):
    return lastro.call("GET", f"/v1/vector_stores/{collection}").json()["file_counts"]


def test_a_deleted_document_is_in_no_answer(lastro, collection):
    manual, = lastro.upload(collection, ("zephyr-9.pdf", MANUAL))
    other, = lastro.upload(collection, ("cafeteria.txt", b"The cafeteria opens at eight and closes at four."))
    assert "zephyr-9.pdf" in lastro.ask(f"smollm2@{collection}", QUESTION).headers["x-rag-sources"]

    path = f"/v1/vector_stores/{collection}/documents/{manual['id']}"
    lastro.call("DELETE", path)
    lastro.call("GET", path, status=404)
    assert [document["id"] for document in lastro.call("GET", f"/v1/vector_stores/{collection}/documents").json()["data"]] == [other["id"]]
    answer = lastro.ask(f"smollm2@{collection}", QUESTION)
    assert "zephyr-9.pdf" not in answer.headers.get("x-rag-sources", "")
    assert FACT not in answer.json()["choices"][0]["message"]["content"]
    found = lastro.call("POST", f"/v1/vector_stores/{collection}/search", json={"query": QUESTION})
    assert FACT not in found.text


def test_the_same_bytes_twice_are_one_document(lastro, collection):
    first, = lastro.upload(collection, ("zephyr-9.pdf", MANUAL))
    second, = lastro.upload(collection, ("zephyr-9.pdf", MANUAL))
    assert first["id"] == second["id"]
    assert counts(lastro, collection)["total"] == 1


def test_a_document_says_how_far_its_embedding_is(lastro, collection):
    text = " ".join(f"Entry {n} of the log: valve {n} was closed, and lamp {n * 7} was lit before the bell." for n in range(1_500))
    document, = lastro.upload(collection, ("log.txt", text.encode()), wait=0)
    path, told = f"/v1/vector_stores/{collection}/documents/{document['id']}", []

    def completed():
        now = lastro.call("GET", path).json()
        told.append(now.get("embedded_chunks"))
        assert told[-1] is None or told[-1] <= now["chunks"], now
        return now["status"] == "completed"

    wait_for(completed)
    steps = [count for count in told if count is not None]
    assert steps == sorted(steps) and any(steps), told
    assert told[-1] is None, "one that is completed has them all"


def test_several_files_in_one_upload(lastro, collection):
    documents = lastro.upload(collection, ("zephyr-9.pdf", MANUAL), ("notes.md", b"# Notes\n\nThe **cellar** is dry.\n"),
                              ("page.html", b"<html><body><h1>Attic</h1><p>The attic is damp.</p></body></html>"),
                              ("latin1.txt", "A ação começa às oito.".encode("latin-1")))
    assert [document["status"] for document in documents] == ["completed"] * 4, documents
    assert documents[0]["pages"] == 3
    found = lastro.call("POST", f"/v1/vector_stores/{collection}/search",
                        json={"query": "a que horas começa a ação?", "max_num_results": 4}).json()
    assert found["object"] == "vector_store.search_results.page"
    hit, = [hit for hit in found["data"] if hit["filename"] == "latin1.txt"]
    assert hit["content"][0]["text"] == "A ação começa às oito."
    assert counts(lastro, collection) == {"in_progress": 0, "completed": 4, "failed": 0, "cancelled": 0, "total": 4}


def test_many_first_uploads_at_the_same_time_make_one_collection(lastro, collection):
    def upload(number):
        files = {"file": (f"{number}.txt", f"Number {number} is a number.".encode())}
        return requests.post(f"{lastro.url}/v1/vector_stores/{collection}/documents?create=true", files=files, timeout=DEADLINE)

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(upload, range(16)))
    assert [answer.status_code for answer in answers] == [200] * 16, [answer.text for answer in answers]
    assert counts(lastro, collection)["total"] == 16


@pytest.mark.parametrize("name, data", [
    ("encrypted.pdf", pdf("A secret.", password="open sesame")),
    ("cut.pdf", MANUAL[: len(MANUAL) // 3]),
    ("empty.pdf", pdf("")),
    ("empty.txt", b""),
    ("blank.txt", b" \n\t\n"),
    ("picture.pdf", b"\x89PNG\r\n\x1a\n" + bytes(200)),
    ("binary.txt", bytes(range(256)) * 20),
])
def test_what_holds_no_text_fails_with_a_reason(lastro, collection, name, data):
    document, = lastro.upload(collection, (name, data))
    assert document["status"] == "failed", document
    assert document["last_error"]["code"]
    assert len(document["last_error"]["message"]) > 20, document
    if name == "encrypted.pdf":
        assert "password" in document["last_error"]["message"].lower()
    assert counts(lastro, collection)["failed"] == 1


def test_a_file_name_is_only_a_name(lastro, collection):
    document, = lastro.upload(collection, ("../../../etc/evil.txt", b"The moon is made of basalt."))
    assert document["status"] == "completed", document
    assert "/" not in document["filename"] and ".." not in document["filename"]


def test_uploading_to_no_collection_is_not_found(lastro, collection):
    answer = lastro.call("POST", f"/v1/vector_stores/{collection}/documents", status=404, files={"file": ("a.txt", b"text")})
    assert collection in answer.json()["error"]["message"]


def test_a_deleted_collection_is_gone(lastro, collection):
    lastro.upload(collection, ("zephyr-9.pdf", MANUAL))
    lastro.call("DELETE", f"/v1/vector_stores/{collection}")
    lastro.call("GET", f"/v1/vector_stores/{collection}", status=404)
    assert lastro.ask(f"smollm2@{collection}", QUESTION, X_RAG_Collection=collection).status_code == 404


def test_a_web_page_elsewhere_is_refused(lastro):
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        answer = lastro.session.get(lastro.url + "/v1/vector_stores", headers=headers, timeout=30)
        assert answer.status_code in (400, 403), (headers, answer.status_code)
        assert answer.json()["error"]["message"]
