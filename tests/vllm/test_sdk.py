"""The official SDK reads what comes through lastro, with the fields that vLLM fills in."""
import openai
import pytest

from documents import FACT, QUESTION
from test_tools import CALL, WEATHER
from vllm_server import MODEL
from world import DEADLINE

MODELS = pytest.mark.parametrize("model", [MODEL, f"{MODEL}@pump"], ids=["plain", "grounded"])


@pytest.fixture(scope="module")
def client(lastro):
    return openai.OpenAI(base_url=lastro.url + "/v1", api_key="none", max_retries=0, timeout=DEADLINE)


def question(model, **fields):
    return {"model": model, "temperature": 0, "seed": 7, "max_tokens": 40, "messages": [{"role": "user", "content": QUESTION}], **fields}


@MODELS
def test_streaming_with_logprobs_and_usage(client, model):
    stream = client.chat.completions.create(**question(model, stream=True, logprobs=True, top_logprobs=2,
                                                       stream_options={"include_usage": True}))
    chunks = list(stream)
    *answer, last = chunks
    text = "".join(chunk.choices[0].delta.content or "" for chunk in answer)
    tokens = [token for chunk in answer if chunk.choices[0].logprobs for token in chunk.choices[0].logprobs.content]
    assert "".join(token.token for token in tokens if not token.token.startswith("<|")) == text
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in tokens)
    assert last.choices == [] and last.usage.completion_tokens == len(tokens)
    assert (FACT in text) == (model != MODEL)


@MODELS
def test_streaming_with_tools(client, model):
    stream = client.chat.completions.create(**question(model, stream=True, tools=[WEATHER], tool_choice="auto", max_tokens=80,
                                                       logprobs=True, extra_body={"structured_outputs": {"choice": [CALL]}}))
    deltas = [chunk.choices[0] for chunk in stream]
    calls = [call for choice in deltas for call in choice.delta.tool_calls or []]
    assert calls[0].id and calls[0].function.name == "get_weather"
    assert "".join(call.function.arguments or "" for call in calls) == '{"city": "Porto"}'
    assert deltas[-1].finish_reason == "tool_calls"


@MODELS
def test_the_sdks_own_accumulation(client, model):
    with client.chat.completions.stream(**question(model, logprobs=True)) as stream:
        events = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "content.delta" in events and final.choices[0].finish_reason in ("stop", "length")
    assert final.choices[0].message.content and final.choices[0].logprobs.content


@MODELS
def test_whole_answers_with_tools(client, model):
    named = {"type": "function", "function": {"name": "get_weather"}}
    answer = client.chat.completions.create(**question(model, tools=[WEATHER], tool_choice=named, max_tokens=80))
    call, = answer.choices[0].message.tool_calls
    assert call.function.name == "get_weather" and answer.usage.prompt_tokens > 0


def test_responses_and_completions(client):
    events = list(client.responses.create(model=MODEL, input="Tell me about rivers.", max_output_tokens=8, temperature=0, stream=True))
    assert events[0].type == "response.created" and any(event.type == "response.output_text.delta" for event in events)
    texts = [chunk.choices[0].text for chunk in client.completions.create(model=MODEL, prompt="A river is", max_tokens=8, stream=True)]
    assert len(texts) > 1


def test_vllms_errors_are_the_sdks_exceptions(client):
    with pytest.raises(openai.BadRequestError, match="max_model_len"):
        client.chat.completions.create(**question(MODEL, max_tokens=5000, stream=True))
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.chat.completions.create(**question("nope"))
