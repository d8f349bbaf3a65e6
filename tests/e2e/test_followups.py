"""Follow-up questions with a real model: what is found for the question alone, for all that the user said, and for
what lastro searches for. `-s` prints the table.

The conversations were written before the code; a third of each kind was held out until it was done.
"""
import json

import pytest

from world import ROOT

FOLDER = ROOT / "tests" / "fixtures" / "followups"
CONVERSATIONS = [json.loads(line) for line in (FOLDER / "conversations.jsonl").read_text().splitlines()]
K = (1, 3)
# Percent found among one and three passages: what was measured, less a margin.
LEAST = {
    ("develop", "follow-up"): (88, 94),
    ("develop", "standalone"): (88, 94),
    ("held_out", "follow-up"): (71, 85),
    ("held_out", "standalone"): (88, 88),
}


@pytest.fixture(scope="module")
def collections(lastro):
    for language in ("en", "pt", "es"):
        files = [(path.name, path.read_bytes()) for path in sorted((FOLDER / language).glob("*.md"))]
        for document in lastro.upload(f"followups-{language}", *files, wait=120):
            assert document["status"] == "completed", document


def preview(lastro, conversation, turns, k):
    roles = ["user" if n % 2 == 0 else "assistant" for n in range(len(turns))]
    body = {"model": "smollm2", "messages": [{"role": role, "content": text} for role, text in zip(roles, turns)]}
    headers = {"X-RAG-Collection": f"followups-{conversation['collection']}", "X-RAG-K": str(k)}
    return lastro.call("POST", "/v1/rag/preview", json=body, headers=headers).json()


def is_found(shown, conversation):
    return any(passage["document"] == conversation["document"] and conversation["snippet"] in passage["text"]
               for passage in shown["passages"])


WAYS = {
    "the question alone": lambda turns: turns[-1:],
    "all that the user said": lambda turns: [" ".join(turns[::2])],
    "lastro": lambda turns: turns,
}


def kind(conversation):
    return "standalone" if conversation["kind"] == "standalone" else "follow-up"


def measure(lastro, way):
    """(set, kind) to the number of conversations, and of those found among each of K passages."""
    counts = {}
    for conversation in CONVERSATIONS:
        found = [is_found(preview(lastro, conversation, WAYS[way](conversation["turns"]), k), conversation) for k in K]
        row = counts.setdefault((conversation["set"], kind(conversation)), [0, 0, 0])
        row[0] += 1
        for n, hit in enumerate(found):
            row[n + 1] += hit
    return counts


def test_follow_ups_are_found(lastro, collections):
    table = {way: measure(lastro, way) for way in WAYS}
    print(f"\n{'set':10} {'kind':12} {'searched for':24} {'n':>3} {'hit@1':>6} {'hit@3':>6}")
    for group in LEAST:
        for way, counts in table.items():
            n, *hits = counts[group]
            print(f"{group[0]:10} {group[1]:12} {way:24} {n:3} " + " ".join(f"{hit / n:6.2f}" for hit in hits))
    for group, least in LEAST.items():
        n, *hits = table["lastro"][group]
        for k, hit, percent in zip(K, hits, least):
            assert hit * 100 >= n * percent, f"{group}: {hit} of {n} found among {k}"
    for (of, what), (n, *hits) in table["the question alone"].items():
        if what == "standalone":
            assert table["lastro"][of, what] == [n, *hits], "a question of its own is searched as it is"


def test_a_question_of_its_own_is_searched_as_it_is(lastro, collections):
    for conversation in CONVERSATIONS:
        question = conversation["turns"][-1]
        shown = preview(lastro, conversation, conversation["turns"], 1)
        if kind(conversation) == "standalone":
            assert shown["query"] == question, conversation["id"]
        else:
            assert shown["query"].startswith(question), conversation["id"]
