"""Tool calls, in the answer as vLLM writes them and in the prompt as the client did."""
import json

import pytest

from documents import FACT, QUESTION
from test_fidelity import STREAMED
from vllm_server import MODEL
from wire import chat, preview

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}
CLOCK = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}
# So small a model calls no tool of its own accord: it is held to text that is a call in the parser's format.
CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Porto"}}\n</tool_call>'
CHOICES = {
    "auto": {"tool_choice": "auto", "structured_outputs": {"choice": [CALL]}, "max_tokens": 80},
    "named": {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}, "max_tokens": 80},
    "required": {"tool_choice": "required", "max_tokens": 80},
    "none": {"tool_choice": "none"},
}


def calls(answer, stream):
    """Name and arguments of each call."""
    if not stream:
        return [(call["function"]["name"], call["function"]["arguments"])
                for call in answer.json()["choices"][0]["message"].get("tool_calls") or []]
    found = {}
    for chunk in answer.chunks():
        for call in chunk["choices"][0]["delta"].get("tool_calls") or []:
            entry = found.setdefault(call["index"], ["", ""])
            entry[0] += call["function"].get("name") or ""
            entry[1] += call["function"].get("arguments") or ""
    return [tuple(call) for _, call in sorted(found.items())]


@STREAMED
@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("collection", [None, "pump"], ids=["plain", "grounded"])
def test_tool_calls_are_vllms_own(pair, collection, choice, stream):
    fields = {"content": "What is the weather in Porto, and the code of the pump?", "tools": [WEATHER, CLOCK],
              "stream": stream, **CHOICES[choice]}
    answer = pair.grounded_chat(collection, **fields) if collection else pair.chat(**fields)
    found = calls(answer, stream)
    if choice == "none":
        assert not found
    else:
        assert found[0][0] in ("get_weather", "get_time")
    if choice == "auto":
        assert [(name, json.loads(arguments)) for name, arguments in found] == [("get_weather", {"city": "Porto"})]


def test_tools_stay_as_they_are_in_a_grounded_prompt(lastro):
    tools = '[{"type" : "function","function":{"name":"a","parameters":{"type":"object","x":1.0, "x":2.50}}}]'
    body = json.dumps(chat(model=f"{MODEL}@pump", content=QUESTION, tools="TOOLS", tool_choice="auto")).replace('"TOOLS"', tools)
    prompt = preview(lastro.url, body.encode()).decode()
    assert tools in prompt and FACT in prompt


@STREAMED
def test_an_answer_of_a_tool_is_grounded_too(pair, stream):
    messages = [{"role": "user", "content": QUESTION},
                {"role": "assistant", "content": "", "tool_calls": [{"id": "call_1", "type": "function", "function": {
                    "name": "get_weather", "arguments": "{\"city\": \"Porto\"}"}}]},
                {"role": "tool", "tool_call_id": "call_1", "content": "Rain."}]
    pair.grounded_chat("pump", messages=messages, tools=[WEATHER], stream=stream)
