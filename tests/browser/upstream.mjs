// An LLM server whose answers are known, and which waits in the middle of one until it is told to go on: what a page
// shows of an answer that has only begun can be looked at without a race against time.
import { createServer } from 'node:http';

export const MODEL = 'scripted';

const frame = (value) => `data: ${JSON.stringify(value)}\n\n`;
const chunk = (delta, finish = null) =>
  frame({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: MODEL, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] });

export class Scripted {
  constructor() {
    this.requests = []; // bodies of the chats
    this.cancelled = 0; // answers whose client left before their end
    this.say('The answer is known [1].');
    this.server = createServer((request, response) => this.answer(request, response));
  }

  /** The next answers: pieces of text, and null where to wait for `goOn`. */
  say(...pieces) {
    this.pieces = pieces;
    this.gate = new Promise((resolve) => { this.goOn = resolve; });
  }

  async listen(port = 0) {
    await new Promise((resolve, reject) => this.server.once('error', reject).listen(port, '127.0.0.1', resolve));
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}/v1`;
    return this;
  }

  /** Hangs up on everybody, and answers nobody any more. */
  end() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    return closed;
  }

  async answer(request, response) {
    const json = (status, value) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
    if (request.url === '/v1/models') {
      return json(200, { object: 'list', data: [{ id: MODEL, object: 'model', created: 1, owned_by: 'vllm', max_model_len: 16384 }] });
    }
    if (request.url !== '/v1/chat/completions') return json(404, { detail: 'Not Found' });
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = JSON.parse(Buffer.concat(parts));
    this.requests.push(body);
    const left = new Promise((resolve) => response.on('close', () => {
      if (!response.writableEnded) this.cancelled += 1;
      resolve();
    }));
    const { pieces, gate } = this;
    if (!body.stream) {
      await Promise.race([gate, left]);
      const message = { role: 'assistant', content: pieces.join('') };
      return json(200, { id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: MODEL, choices: [{ index: 0, message, finish_reason: 'stop' }] });
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    response.write(chunk({ role: 'assistant', content: '' }));
    for (const piece of pieces) {
      if (piece === null) await Promise.race([gate, left]);
      else response.write(chunk({ content: piece }));
      if (response.destroyed) return;
    }
    response.write(chunk({}, 'stop'));
    response.end('data: [DONE]\n\n');
  }
}
