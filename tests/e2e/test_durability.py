"""kill -9: what was acknowledged is there after the restart, and what was deleted stays away."""
import random
import threading
import time

import requests

ROUNDS = 10


def word(number):
    """A word that is in one document and in no other."""
    return "q" + "".join(chr(ord("a") + int(digit)) for digit in f"{number:06}") + "q"


def upload_until_killed(url, numbers, acknowledged, deleted):
    """Uploads one document after the other, and deletes every fourth, until the server is gone."""
    for number in numbers:
        try:
            text = f"Report {number}. The password of the day is {word(number)}."
            response = requests.post(f"{url}/v1/vector_stores/reports/documents?create=true", timeout=60,
                                     files={"file": (f"report-{number}.txt", text.encode())})
            assert response.status_code == 200, response.text
            identity = response.json()["data"][0]["id"]
            acknowledged[number] = identity
            if number % 4 == 0:
                deleted[number] = None  # unknown until it is acknowledged
                response = requests.delete(f"{url}/v1/vector_stores/reports/documents/{identity}", timeout=60)
                assert response.status_code == 200, response.text
                deleted[number] = identity
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            return


def test_kill_9_loses_nothing_that_was_acknowledged(start, tmp_path):
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    acknowledged, deleted = {}, {}
    server = start(data=tmp_path / "data", model=None)
    for round in range(ROUNDS):
        threads = [threading.Thread(target=upload_until_killed, args=(
            server.url, range(round * 10000 + thread * 1000, round * 10000 + thread * 1000 + 1000), acknowledged, deleted))
            for thread in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.05, 0.6))
        server.kill()
        for thread in threads:
            thread.join(90)
        server = start(data=tmp_path / "data", model=None)
    assert len(acknowledged) >= ROUNDS, "hardly anything was uploaded between the kills"

    gone = {number for number, identity in deleted.items() if identity}
    kept = {number: identity for number, identity in acknowledged.items() if number not in deleted}
    wait_until_ingested(server, kept)
    documents = {document["id"]: document for document in list_documents(server)}
    lost = [number for number, identity in kept.items() if documents.get(identity, {}).get("status") != "completed"]
    assert not lost, f"acknowledged and lost: {lost}"
    back = [number for number in gone if acknowledged[number] in documents]
    assert not back, f"deleted and back: {back}"

    for number in chance.sample(sorted(kept), min(20, len(kept))):
        found = server.call("POST", "/v1/vector_stores/reports/search", json={"query": word(number), "max_num_results": 3}).json()
        assert found["data"] and found["data"][0]["filename"] == f"report-{number}.txt", (number, found)
    for number in sorted(gone)[:20]:
        found = server.call("POST", "/v1/vector_stores/reports/search", json={"query": word(number), "max_num_results": 3}).json()
        assert f"report-{number}.txt" not in {hit["filename"] for hit in found["data"]}


def wait_until_ingested(server, kept):
    deadline = time.monotonic() + 300
    while server.call("GET", "/v1/vector_stores/reports").json()["file_counts"]["in_progress"]:
        assert time.monotonic() < deadline, "ingestion does not end: " + server.tail()
        time.sleep(0.2)


def list_documents(server):
    """Every document, page after page."""
    documents, after = [], ""
    while True:
        page = server.call("GET", f"/v1/vector_stores/reports/documents?limit=100{after}").json()
        documents += page["data"]
        if not page.get("has_more"):
            return documents
        after = f"&after={page['data'][-1]['id']}"
