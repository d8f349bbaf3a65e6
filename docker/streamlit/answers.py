"""Answers, streamed by OpenAI's own SDK from lastro as from any OpenAI server."""
import asyncio
import json
import threading
import time

import openai

import lastro

# Earlier turns that go along with a question: the passages need the window more.
TURNS, CHARACTERS = 6, 6_000
# Seconds after which an answer that no page shows any more is ended.
UNSEEN = 10
# How long a click on Stop may take to be noticed, in seconds.
PULSE = 0.05


class Answer:
    """One question and what came back. A thread of its own reads it, so that it survives the reruns of the page, which only looks.

    `state`: running, done, stopped or failed. Stopping closes the connection, which ends the generation upstream.
    """

    def __init__(self, model, collection, question, earlier):
        self.model, self.collection, self.question = model, collection, question
        self.messages = [*history(earlier), {"role": "user", "content": question}]
        self.state, self.text, self.problem = "running", "", None
        self.status, self.passages, self.finish = None, [], None
        self._stop = threading.Event()
        self.look()
        threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True).start()

    @property
    def running(self):
        return self.state == "running"

    def look(self):
        """The page still shows it."""
        self._seen = time.monotonic()

    def stop(self):
        self._stop.set()

    async def _run(self):
        reading = asyncio.ensure_future(self._read())
        while not reading.done():
            await asyncio.wait([reading], timeout=PULSE)
            if self._stop.is_set() or time.monotonic() - self._seen > UNSEEN:
                reading.cancel()
                await asyncio.wait([reading])
        if reading.cancelled():
            self.state = "stopped"
        elif reading.exception() is None:
            self.state = "done"
        else:
            self.problem, self.state = problem(reading.exception()), "failed"

    async def _read(self):
        model = self.model or await asyncio.to_thread(lastro.model)
        async with openai.AsyncOpenAI(base_url=f"{lastro.URL}/v1", api_key=lastro.KEY or "none", max_retries=0,
                                      timeout=openai.Timeout(600, connect=3)) as client:
            async with client.chat.completions.with_streaming_response.create(
                    model=f"{model}@{self.collection}", messages=self.messages, stream=True) as response:
                self.status = response.headers.get("X-RAG-Status")
                self.passages = await asyncio.to_thread(passages, response.headers)
                async for chunk in await response.parse():
                    for choice in chunk.choices:
                        self.text += choice.delta.content or ""
                        self.finish = choice.finish_reason or self.finish


def history(earlier):
    """The last turns that came to an answer, as messages."""
    messages, characters = [], 0
    for answer in reversed([answer for answer in earlier if answer.text][-TURNS:]):
        characters += len(answer.question) + len(answer.text)
        if characters > CHARACTERS:
            break
        messages = [{"role": "user", "content": answer.question}, {"role": "assistant", "content": answer.text}, *messages]
    return messages


def passages(headers):
    """Number, document, page and text of each; without the text where the trace cannot be had."""
    try:
        return lastro.trace(headers["X-RAG-Trace-Id"])["passages"]
    except (lastro.Refused, KeyError):
        told = [(source["document"], *place) for source in json.loads(headers.get("X-RAG-Sources") or "[]") for place in source["passages"]]
        return [dict(zip(("document", "n", "page", "last_page"), place)) for place in sorted(told, key=lambda place: place[1])]


def problem(error):
    if isinstance(error, lastro.Refused):
        return error
    if isinstance(error, openai.APIStatusError):
        return lastro.refusal(error.response)
    if isinstance(error, openai.APIConnectionError):
        return lastro.Refused("unreachable", str(error.__cause__ or error))
    if isinstance(error, openai.APIError):  # an error in the middle of a stream
        return lastro.Refused("upstream", error.message)
    return lastro.Refused("broken_off", f"{type(error).__name__}: {error}")
