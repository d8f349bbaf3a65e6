"""An LLM server whose answers are known word for word, in the shapes of vLLM: a small real model cites badly."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "scripted"
# Marks whole and split over frames, one of a passage that does not exist, and letters of two, three and four bytes before a mark.
PIECES = ["The", " code is 7315", " [1]", ". Olá, 世界 🌍", " [", "1", "]. And", " more [99", "]."]
ANSWER = "".join(PIECES)
MOST_CHOICES = 4
# Elements of a response's input that vLLM takes.
ITEMS = (None, "message", "reasoning", "function_call", "function_call_output")
USAGE = {"prompt_tokens": 10, "completion_tokens": len(PIECES), "total_tokens": 10 + len(PIECES)}
MODELS = {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "vllm", "max_model_len": 16384}]}


def choices_of(request):
    wanted = request.get("n")
    return range(wanted if isinstance(wanted, int) and 1 <= wanted <= MOST_CHOICES else 1)


def frame(value, event=None):
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def completion(request):
    message = {"role": "assistant", "content": ANSWER, "tool_calls": [], "annotations": None}
    choices = [{"index": index, "message": message, "logprobs": None, "finish_reason": "stop"} for index in choices_of(request)]
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": choices, "usage": USAGE}


def chunks(request):
    def chunk(choices, **fields):
        return frame({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": choices, **fields})

    def delta(index, delta, finish=None):
        return chunk([{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}])

    choices = choices_of(request)
    for index in choices:
        yield delta(index, {"role": "assistant", "content": ""})
    for piece in PIECES:
        for index in choices:
            yield delta(index, {"content": piece})
    for index in choices:
        yield delta(index, {}, "stop")
    if (request.get("stream_options") or {}).get("include_usage"):
        yield chunk([], usage=USAGE)
    yield b"data: [DONE]\n\n"


def response(request, output, status):
    usage = {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": len(PIECES),
             "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 10 + len(PIECES)}
    return {"id": "resp_1", "created_at": 1, "incomplete_details": None, "instructions": None, "metadata": None, "model": MODEL,
            "object": "response", "output": output, "parallel_tool_calls": True, "temperature": 0.0,
            "tool_choice": request.get("tool_choice", "auto"), "tools": request.get("tools") or [], "top_p": 1.0, "background": False,
            "max_output_tokens": 60, "previous_response_id": None, "reasoning": None, "service_tier": "auto", "status": status,
            "text": None, "truncation": "disabled", "usage": usage if status == "completed" else None, "user": None}


def text_part(text):
    return {"annotations": [], "text": text, "type": "output_text", "logprobs": None}


def message(status, content):
    return {"id": "msg_1", "content": content, "role": "assistant", "status": status, "type": "message"}


def events(request):
    part = {"content_index": 0, "item_id": "msg_1", "output_index": 0}
    whole = message("completed", [text_part(ANSWER)])
    said = [("response.created", {"response": response(request, [], "in_progress")}),
            ("response.in_progress", {"response": response(request, [], "in_progress")}),
            ("response.output_item.added", {"item": message("in_progress", []), "output_index": 0}),
            ("response.content_part.added", {**part, "part": {**text_part(""), "logprobs": []}})]
    said += [("response.output_text.delta", {**part, "delta": piece, "logprobs": []}) for piece in PIECES]
    said += [("response.output_text.done", {**part, "text": ANSWER, "logprobs": []}),
             ("response.content_part.done", {**part, "part": text_part(ANSWER)}),
             ("response.output_item.done", {"item": whole, "output_index": 0}),
             ("response.completed", {"response": response(request, [whole], "completed")})]
    for number, (name, fields) in enumerate(said):
        yield frame({**fields, "sequence_number": number, "type": name}, name)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, MODELS) if self.path == "/v1/models" else self.answer(404, {"detail": "Not Found"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            request = json.loads(body)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            return self.answer(400, {"error": {"message": "not a JSON object", "type": "BadRequestError", "param": None, "code": 400}})
        self.server.requests.append((self.path, dict(self.headers), request))
        items = request.get("input") if self.path == "/v1/responses" else None
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict) and item.get("type") not in ITEMS:
                refusal = {"message": f"Unsupported input item type: {item.get('type')}", "type": "BadRequestError", "param": None, "code": 400}
                return self.answer(400, {"error": refusal})
        answers = {"/v1/chat/completions": (chunks, completion),
                   "/v1/responses": (events, lambda request: response(request, [message("completed", [text_part(ANSWER)])], "completed"))}
        if self.path not in answers:
            return self.answer(404, {"detail": "Not Found"})
        streamed, whole = answers[self.path]
        self.stream(streamed(request)) if request.get("stream") else self.answer(200, whole(request))

    def stream(self, frames):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for data in [*frames, b""]:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def answer(self, status, value):
        data = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def send_error(self, code, message=None, explain=None):
        # What is not read to its end breaks the connection before the answer is there.
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer(405 if code == 501 else code, {"detail": message})

    def log_message(self, *arguments):
        pass


class Scripted(ThreadingHTTPServer):
    """`url` is its address; `requests` are the (path, headers, body) that came."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url, self.requests = f"http://127.0.0.1:{self.server_port}/v1", []
        self.thread = threading.Thread(target=self.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *failure):
        self.shutdown()
        self.thread.join()
        self.server_close()
