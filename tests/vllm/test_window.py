"""A grounded prompt stays within the window where the question alone would have, by vLLM's own count."""
import pytest

from documents import KINDS
from vllm_server import MODEL, WINDOW
from wire import chat, send

LONG_QUESTION = "Which river passes a mill? " + " ".join(
    f"I was at village {n} and asked whoever came by about boat {n * 31 % 97}." for n in range(45))
STOP = {"stop": [" "]}


def ask(lastro, collection, passages=40, **fields):
    """A grounded chat; its prompt's tokens."""
    body = chat(**{"model": f"{MODEL}@{collection}", **STOP, **fields})
    answer = send(lastro.url, "POST", "/v1/chat/completions", body, {"X-RAG-K": str(passages)})
    assert answer.status == 200, answer.body
    assert answer.headers["x-rag-status"] == "lexical", answer.headers
    assert int(answer.headers["x-rag-hits"]) >= 1
    return answer.json()["usage"]["prompt_tokens"]


def tokens(vllm, **fields):
    """What vLLM counts of the chat alone."""
    return send(vllm.address, "POST", "/tokenize", {"model": MODEL, "messages": chat(**fields)["messages"]}).json()["count"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("question", ["Which river passes a mill?", LONG_QUESTION], ids=["short", "long"])
@pytest.mark.parametrize("reserve", [16, 512, 1200])
def test_passages_are_cut_to_fit(vllm, lastro, kind, question, reserve):
    alone = tokens(vllm, content=question)
    assert alone + reserve < WINDOW
    prompt = ask(lastro, f"rivers-{kind}", content=question, max_tokens=reserve)
    room = WINDOW - reserve - alone
    assert alone < prompt <= WINDOW - reserve
    # What is there is made use of: an estimate alone would leave more than half of the room for some texts.
    assert prompt - alone > room * 0.6, f"{prompt - alone} tokens of passages in a room of {room}"


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_small_room_still_grounds(lastro, field):
    """The room of a window of 752 tokens with 512 for the answer."""
    body = {"content": "Which river passes a mill?", "max_tokens": None, field: WINDOW - 240}
    assert ask(lastro, "rivers-english", **{name: value for name, value in body.items() if value}) <= 240


def test_without_a_reserve_there_is_room_for_an_answer(lastro):
    body = chat(model=f"{MODEL}@rivers-english", content="Which river passes a mill?", **STOP)
    del body["max_tokens"]
    answer = send(lastro.url, "POST", "/v1/chat/completions", body, {"X-RAG-K": "40"})
    assert answer.status == 200, answer.body
    assert answer.json()["usage"]["prompt_tokens"] <= WINDOW * 3 // 4


def test_a_conversation_is_counted_whole(vllm, lastro):
    turns = [{"role": role, "content": f"{LONG_QUESTION[:600]} {n}"} for n in range(3) for role in ("user", "assistant")]
    messages = [{"role": "system", "content": "Answer in Portuguese."}, *turns, {"role": "user", "content": "Which river passes a mill?"}]
    alone = tokens(vllm, messages=messages)
    prompt = ask(lastro, "rivers-english", messages=messages, max_tokens=300)
    assert alone < prompt <= WINDOW - 300


@pytest.mark.parametrize("spare", [0, 1, 5, 40])
def test_a_question_that_fills_the_window_is_answered_without_passages(vllm, lastro, spare):
    reserve = WINDOW - tokens(vllm, content=LONG_QUESTION) - spare
    body = chat(model=f"{MODEL}@rivers-english", content=LONG_QUESTION, max_tokens=reserve, **STOP)
    answer = send(lastro.url, "POST", "/v1/chat/completions", body)
    assert answer.status == 200, answer.body
    assert answer.headers["x-rag-status"] in ("no_room", "lexical")
    assert answer.json()["usage"]["prompt_tokens"] <= WINDOW - reserve


def test_streams_keep_within_the_window_too(lastro):
    body = chat(model=f"{MODEL}@rivers-digits", content=LONG_QUESTION, max_tokens=64, stream=True, stream_options={"include_usage": True}, **STOP)
    answer = send(lastro.url, "POST", "/v1/chat/completions", body, {"X-RAG-K": "40"})
    assert answer.status == 200, answer.body
    assert answer.chunks()[-1]["usage"]["prompt_tokens"] <= WINDOW - 64
