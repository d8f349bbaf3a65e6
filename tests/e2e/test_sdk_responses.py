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
