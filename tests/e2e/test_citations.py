"""Three ways of citing, and every client that people use: none breaks, and each shows what it can."""
import re

import pytest
import requests
from langchain_openai import ChatOpenAI

import world
from manual import MANUAL, QUESTION
from upstream import ANSWER, MODEL

MODES = ("header", "comment", "annotations")


def python_sdk(options):
    said = {}
    for mode in MODES:
        client = world.openai.OpenAI(base_url=options["url"], api_key="none", max_retries=0, default_headers={"X-RAG-Citations": mode})
        request = {"model": options["model"], "messages": [{"role": "user", "content": QUESTION}]}
        text, annotations = "", []
        for chunk in client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **request):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                annotations += getattr(choice.delta, "annotations", None) or []
        message = client.chat.completions.create(**request).choices[0].message
        said[mode] = {"text": text, "annotations": annotations, "whole": message.content,
                      "wholeAnnotations": [annotation.to_dict() for annotation in message.annotations or []]}
    return said


def langchain(options):
    said = {}
    for mode in MODES:
        model = ChatOpenAI(base_url=options["url"], api_key="none", model=options["model"], max_retries=0,
                           default_headers={"X-RAG-Citations": mode})
        pieces = list(model.stream(QUESTION))
        said[mode] = {"text": "".join(piece.content for piece in pieces), "annotations": None,
                      "whole": model.invoke(QUESTION).content, "wholeAnnotations": None}
    return said


def litellm(options):
    program = world.TOOLS / "litellm" / "bin" / "python"
    return world.script([program, "-B", world.ROOT / "tests" / "e2e" / "clients" / "litellm_chat.py"], options)


CLIENTS = {
    "openai for Python": python_sdk,
    "openai for Node": lambda options: world.node("citations_openai.mjs", **options),
    "LangChain": langchain,
    "litellm": litellm,
    "Vercel AI SDK, openai": lambda options: world.node("citations_ai.mjs", **options, provider="openai"),
    "Vercel AI SDK, openai-compatible": lambda options: world.node("citations_ai.mjs", **options, provider="compatible"),
}
# Clients that read no annotations of a chat: for them the text alone counts.
BLIND = {"LangChain", "Vercel AI SDK, openai-compatible"}


@pytest.fixture(scope="module", params=CLIENTS)
def said(request, grounded):
    """What a client made of the same question in each mode."""
    options = {"url": grounded.url + "/v1", "model": f"{MODEL}@pump", "question": QUESTION, "modes": MODES}
    return request.param, CLIENTS[request.param](options)


@pytest.mark.parametrize("mode", MODES)
def test_the_text_is_whole(said, mode):
    client, modes = said
    assert modes[mode]["text"] == ANSWER and modes[mode]["whole"] == ANSWER


@pytest.mark.parametrize("mode", MODES)
def test_whoever_can_shows_the_citations(said, mode, grounded):
    client, modes = said
    for annotations in (modes[mode]["annotations"], modes[mode]["wholeAnnotations"]):
        if mode != "annotations":
            assert not annotations, "nothing was asked for in the body"
            continue
        if client in BLIND:
            assert not annotations, "it shows annotations now: take it off the list"
            continue
        assert annotations
        for annotation in annotations:
            citation = annotation.get("url_citation", annotation)
            assert citation["title"].startswith("zephyr-9.pdf")
            assert re.fullmatch(rf"{grounded.url}/v1/files/{grounded.file}/content(#page=[123])?", citation["url"])
            if "start_index" in citation:
                assert ANSWER[citation["start_index"]:citation["end_index"]] == "[1]"


def chat(grounded, mode, **fields):
    body = {"model": f"{MODEL}@pump", "messages": [{"role": "user", "content": QUESTION}], **fields}
    return grounded.call("POST", "/v1/chat/completions", json=body, headers={"X-RAG-Citations": mode} if mode else {})


def test_modes_differ_by_what_they_promise_and_by_nothing_else(grounded):
    plain = chat(grounded, None, stream=True)
    assert chat(grounded, "header", stream=True).content == plain.content
    comment = chat(grounded, "comment", stream=True).content
    first, rest = comment.split(b"\n\n", 1)
    assert rest == plain.content and first.startswith(b": rag {") and b"zephyr-9.pdf" in first
    frames = plain.content.split(b"\n\n")
    annotated = chat(grounded, "annotations", stream=True).content.split(b"\n\n")
    added = [frame for frame in annotated if frame not in frames]
    assert len(added) == 1 and [frame for frame in annotated if frame != added[0]] == frames
    assert annotated.index(added[0]) == len(annotated) - 4, "before the chunk that ends the choice"


def test_a_citation_leads_to_the_document(grounded):
    annotation, *_ = chat(grounded, "annotations").json()["choices"][0]["message"]["annotations"]
    url, page = annotation["url_citation"]["url"].split("#page=")
    assert requests.get(url, timeout=world.DEADLINE).content == MANUAL and int(page) in (1, 2, 3)
    headers = chat(grounded, "header").headers
    trace = grounded.call("GET", f"/v1/rag/traces/{headers['x-rag-trace-id']}").json()
    assert trace["passages"][0]["document"] == "zephyr-9.pdf", "[1] is the first passage of the trace"


def test_an_unknown_mode_is_refused(grounded):
    body = {"model": f"{MODEL}@pump", "messages": [{"role": "user", "content": QUESTION}]}
    answer = grounded.call("POST", "/v1/chat/completions", 400, json=body, headers={"X-RAG-Citations": "footnotes"})
    assert "X-RAG-Citations" in answer.json()["error"]["message"]
