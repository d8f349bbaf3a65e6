"""The official openai package for Node, unmodified."""
import pytest

from manual import FACT, QUESTION
from upstream import ANSWER, MODEL
from world import node


@pytest.fixture(scope="module")
def files(lastro):
    return node("files.mjs", url=lastro.url + "/v1")


@pytest.fixture(scope="module")
def chat(grounded):
    return node("chat.mjs", url=grounded.url + "/v1", model=MODEL, store=grounded.store, question=QUESTION)


def test_files(files):
    assert files["created"]["filename"] == "cellar.txt" and files["created"] == files["retrieved"]
    assert files["content"] == "The cellar is dry."
    assert files["deletedFile"] == {"id": files["created"]["id"], "object": "file", "deleted": True}


def test_vector_stores(files):
    assert [files[name]["status"] for name in ("polled", "uploaded", "batch")] == ["completed"] * 3
    assert files["updated"]["attributes"] == {"floor": 3}
    assert files["batch"]["file_counts"]["completed"] == 2 == files["inBatch"]
    assert files["inStore"] == 4, "over two pages"
    assert "cellar is dry" in files["text"]
    assert files["changed"]["name"] == "changed" and files["changed"]["metadata"] == {"by": "node"}
    assert files["deleted"]["deleted"] is True


def test_search(files):
    assert [hit["filename"] for hit in files["found"]] == ["attic.txt"]
    assert [hit["filename"] for hit in files["filtered"]] == ["attic.txt"]


def test_errors_are_the_packages_own(files):
    assert files["refused"] == {**files["refused"], "type": "BadRequestError", "status": 400, "param": "max_num_results"}
    assert (files["gone"]["type"], files["gone"]["status"]) == ("NotFoundError", 404)


def test_chat_with_file_search(chat):
    assert chat["chat"] == {"text": ANSWER, "status": "hit"} and chat["streamed"] == ANSWER


def test_responses_with_file_search(chat, grounded):
    search, message = chat["response"]["output"]
    assert (search["type"], search["status"]) == ("file_search_call", "completed")
    assert any(FACT in result["text"] for result in search["results"])
    assert chat["responseText"] == ANSWER
    assert {annotation["file_id"] for annotation in message["content"][0]["annotations"]} == {grounded.file}


def test_streamed_responses_with_file_search(chat, grounded):
    assert [number for _, number in chat["events"]] == list(range(len(chat["events"])))
    assert "response.file_search_call.completed" in {kind for kind, _ in chat["events"]}
    assert chat["final"]["status"] == "completed"
    assert [item["type"] for item in chat["final"]["output"]] == ["file_search_call", "message"]
    assert chat["final"]["output"][1]["content"][0]["text"] == ANSWER


def test_embeddings(chat):
    assert chat["embedding"] == 384
