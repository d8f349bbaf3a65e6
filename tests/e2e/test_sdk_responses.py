"""/v1/responses with the file_search tool through the official openai SDK for Python, unmodified."""
import openai
import pytest

from manual import FACT, QUESTION
from upstream import ANSWER, MODEL
from world import sdk


@pytest.fixture(scope="module")
def client(grounded):
    return sdk(grounded)


@pytest.fixture(scope="module")
def tools(grounded):
    return [{"type": "file_search", "vector_store_ids": [grounded.store], "max_num_results": 3}]


def check(grounded, response, results=False):
    search, message = response.output
    assert (search.type, search.status) == ("file_search_call", "completed") and search.id.startswith("fs_")
    assert search.queries == [QUESTION]
    if results:
        assert any(FACT in result.text for result in search.results)
        assert {(result.file_id, result.filename) for result in search.results} == {(grounded.file, "zephyr-9.pdf")}
        assert all(0 <= result.score <= 1 for result in search.results)
    else:
        assert search.results is None
    assert (message.type, message.status, response.status) == ("message", "completed", "completed")
    assert response.output_text == ANSWER
    annotations = message.content[0].annotations
    assert annotations, "the answer has marks, so it has citations"
    for annotation in annotations:
        assert (annotation.type, annotation.file_id, annotation.filename) == ("file_citation", grounded.file, "zephyr-9.pdf")
        assert 0 <= annotation.index <= len(ANSWER)
    assert [tool.type for tool in response.tools] == ["file_search"], "tools are echoed as they were asked for"


def check_request(scripted):
    path, _, request = scripted.requests[-1]
    assert path == "/v1/responses" and "tools" not in request and "include" not in request
    assert FACT in str(request["input"]) and QUESTION in str(request["input"])


@pytest.mark.parametrize("question", [QUESTION, [{"role": "user", "content": QUESTION}],
                                      [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}]])
def test_a_response_is_grounded(grounded, client, scripted, tools, question):
    check(grounded, client.responses.create(model=MODEL, input=question, tools=tools))
    check_request(scripted)


def test_results_are_included_when_asked_for(grounded, client, scripted, tools):
    response = client.responses.create(model=MODEL, input=QUESTION, tools=tools, include=["file_search_call.results"])
    check(grounded, response, results=True)
    check_request(scripted)


def test_a_streamed_response_is_grounded(grounded, client, scripted, tools):
    events = list(client.responses.create(model=MODEL, input=QUESTION, tools=tools, stream=True))
    check_request(scripted)
    assert all(type(event).__name__.startswith("Response") for event in events), "every event has a type that the SDK knows"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    search = ["response.file_search_call.in_progress", "response.file_search_call.searching", "response.file_search_call.completed"]
    assert [kind for kind in kinds if kind.startswith("response.file_search_call")] == search
    assert kinds.index(search[-1]) < kinds.index("response.output_text.delta")
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == ANSWER
    assert {event.output_index for event in events if event.type.startswith("response.output_text")} == {1}

    added = [event for event in events if event.type == "response.output_text.annotation.added"]
    assert [event.annotation_index for event in added] == list(range(len(added)))
    last = max(number for number, kind in enumerate(kinds) if kind == "response.output_text.annotation.added")
    assert last < kinds.index("response.content_part.done")
    final = events[-1].response
    check(grounded, final)
    assert len(final.output[1].content[0].annotations) == len(added)
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert [item.id for item in done] == [item.id for item in final.output]
    assert [item.type for item in done] == ["file_search_call", "message"]


def test_the_streaming_helper_follows(grounded, client, tools):
    with client.responses.stream(model=MODEL, input=QUESTION, tools=tools) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_response()
    assert "response.output_text.delta" in kinds and "response.file_search_call.completed" in kinds
    check(grounded, final)


def test_the_models_name_selects_too(grounded, client):
    search, message = client.responses.create(model=f"{MODEL}@pump", input=QUESTION).output
    assert search.type == "file_search_call" and message.content[0].text == ANSWER


FUNCTION = {"type": "function", "name": "look_up", "parameters": {"type": "object", "properties": {}}}
CALL = [{"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "It is in the file_search_call."}]


@pytest.mark.parametrize("include", [None, ["file_search_call.results"]])
@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_goes_on_with_all_that_was_answered(grounded, client, scripted, tools, include, stream):
    conversation = []
    for question in (QUESTION, "And since when?", QUESTION):
        conversation.append({"role": "user", "content": question})
        if stream:
            *_, last = client.responses.create(model=MODEL, input=conversation, tools=tools, include=include, stream=True)
            answered = last.response
        else:
            answered = client.responses.create(model=MODEL, input=conversation, tools=tools, include=include)
        assert [item.type for item in answered.output] == ["file_search_call", "message"]
        sent = scripted.requests[-1][2]["input"]
        assert [item.get("role") for item in sent] == ["user", "assistant"] * (len(sent) // 2) + ["user"]
        assert "file_search" not in str(sent) and "<passage" in str(sent[-1])
        conversation += answered.output


@pytest.mark.parametrize("left", ["with file_search", "with a function beside", "with a function alone", "without tools"])
def test_a_search_comes_back_whatever_else_is_asked(grounded, client, scripted, tools, left):
    first = client.responses.create(model=MODEL, input=QUESTION, tools=[*tools, FUNCTION])
    search, message = first.output
    asked = {"with file_search": {"tools": tools}, "with a function beside": {"tools": [*tools, FUNCTION]},
             "with a function alone": {"tools": [FUNCTION]}, "without tools": {}}[left]
    question = {"role": "user", "content": QUESTION}
    reference = {"type": "item_reference", "id": search.id}
    for conversation, kinds in (([question, search, message, question], [None, "message", None]),
                                ([question, search, *CALL], [None, "function_call", "function_call_output"]),
                                ([question, reference, message, question], [None, "message", None])):
        client.responses.create(model=MODEL, input=conversation, **asked)
        sent = scripted.requests[-1][2]
        assert [item.get("type") for item in sent["input"]] == kinds
        assert ("<passage" in str(sent["input"])) == (left in ("with file_search", "with a function beside"))
        client.responses.create(model=MODEL, input=conversation, extra_headers={"X-RAG": "off"}, **asked)


def test_what_is_found_has_attributes_and_comes_best_first(grounded, client, scripted):
    texts = {"weather.txt": "Rain falls on Tuesdays.", "colours.txt": "The cover of the Nimbus lamp is teal.", "walks.txt": "Walks are at noon."}
    store = client.vector_stores.create(name="found")
    for name, text in texts.items():
        file = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=(name, text.encode()),
                                                          attributes={"name": name, "lines": 1, "short": True})
        assert file.status == "completed"
    for tool in ({}, {"max_num_results": 3}, {"filters": {"type": "eq", "key": "short", "value": True}}):
        response = client.responses.create(model=MODEL, input="What colour is the cover of the lamp?", include=["file_search_call.results"],
                                           tools=[{"type": "file_search", "vector_store_ids": [store.id], **tool}])
        results = response.output[0].results
        assert results[0].filename == "colours.txt" and results[0].score > 0
        assert all(result.attributes == {"name": result.filename, "lines": 1, "short": True} for result in results)
        scores = [result.score for result in results]
        assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)
        if "max_num_results" not in tool:
            prompt = str(scripted.requests[-1][2]["input"])
            assert len(results) == 3 and prompt.index("Rain falls") < prompt.index("Nimbus lamp"), "whole documents, in their order"
            # The scripted answer cites [1], which is the first in the prompt.
            assert response.output[1].content[0].annotations[0].filename == "weather.txt"
    client.vector_stores.delete(store.id)


def test_without_file_search_a_response_is_upstreams_own(grounded, client, scripted):
    response = client.responses.create(model=MODEL, input=QUESTION)
    assert [item.type for item in response.output] == ["message"] and response.output_text == ANSWER
    assert FACT not in str(scripted.requests[-1][2])


@pytest.mark.parametrize("tool", [{"type": "file_search", "vector_store_ids": []},
                                  {"type": "file_search", "vector_store_ids": ["pump"], "max_num_results": 0}])
def test_a_file_search_that_cannot_be_is_refused(client, tool):
    with pytest.raises(openai.BadRequestError) as error:
        client.responses.create(model=MODEL, input=QUESTION, tools=[tool])
    assert (error.value.param or "").startswith("tools"), error.value.body
