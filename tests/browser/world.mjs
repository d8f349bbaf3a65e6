// What the tests share: a real LLM server, lastro, the page, a browser. Each is started when it is first asked for.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from '../../.tools/node/node_modules/playwright-core/index.mjs';
import { DEADLINE, ROOT, Server, TOOLS, BINARY, folder, freePort, ok, until } from './processes.mjs';
import { Scripted } from './upstream.mjs';

const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';
const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const kept = [];
const pages = [];
const once = (start) => { let started; return () => (started ??= start()); };
const keep = (thing) => { kept.push(thing); return thing; };

export const browser = once(async () => {
  const profile = folder(); // Chromium's own, and empty
  const started = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS, env: { ...process.env, HOME: profile, TMPDIR: profile }, timeout: DEADLINE });
  return keep({ end: () => started.close(), context: (options) => started.newContext(options) });
});

/** A real llama.cpp server; the address of its API. */
export const llm = (model = 'smollm2') => startLlm[model]();
const startLlm = Object.fromEntries(['smollm2', 'qwen'].map((model) => [model, once(async () => {
  const command = [join(TOOLS, 'venv/bin/python'), '-B', join(ROOT, 'scripts/llm-server'), '--model', model, '--port', '0', '--die-with-parent', '--max-seconds', '900'];
  return keep(await new Server(command).listening()).url;
})]));

/** A scripted upstream, of one test's own or of several. */
export const scripted = async (port) => keep(await new Scripted().listen(port));

/** `lastro serve` with a data folder of its own. `model`: a folder of .tools/models, or null for search by words alone. */
export async function lastro(upstream, { model = 'all-MiniLM-L6-v2', passages = 8, data = folder(), listen = '127.0.0.1:0' } = {}) {
  const command = [BINARY, 'serve', '--listen', listen, '--data', data, '--upstream', upstream, '--passages', String(passages)];
  if (model) command.push('--embedding-model', join(TOOLS, 'models', model));
  const library = readdirSync(join(TOOLS, 'pdfium')).find((name) => name.startsWith('libpdfium.'));
  const server = keep(await new Server(command, { env: library ? { LASTRO_PDFIUM: join(TOOLS, 'pdfium', library) } : {} }).listening());
  await server.answers(() => ok(`${server.url}/ready`));
  return Object.assign(server, { data });
}

/** The Streamlit page in front of a lastro; its address is `url`. */
export async function streamlit(lastroUrl, env = {}) {
  for (let tries = 3; ; tries--) {
    const port = await freePort();
    const command = [join(TOOLS, 'streamlit/bin/streamlit'), 'run', join(ROOT, 'docker/streamlit/app.py'), '--server.headless', 'true',
      '--server.address', '127.0.0.1', '--server.port', String(port), '--browser.gatherUsageStats', 'false', '--server.fileWatcherType', 'none'];
    const home = folder(); // no settings of the user's own
    const server = keep(new Server(command, { env: { HOME: home, PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1', LASTRO_URL: lastroUrl, ...env }, cwd: home }));
    try {
      // It says so only of a port that is its own: whoever else took it may answer too.
      await server.answers(() => server.text().includes(`http://127.0.0.1:${port}`) && ok(`http://127.0.0.1:${port}/_stcore/health`));
      pages.push(server);
      return Object.assign(server, { url: `http://127.0.0.1:${port}` });
    } catch (error) {
      if (!tries || !/not available|in use/i.test(error.message)) throw error;
    }
  }
}

/** A lastro in front of an upstream, and the page in front of both. */
export async function stack(upstream, options) {
  const server = await lastro(upstream, options);
  return { lastro: server, page: await streamlit(server.url) };
}

/** The page with the real LLM behind it, for the tests that change nothing of it. */
export const real = once(async () => stack(await llm(), { passages: 2 })); // a small model on a busy machine reads slowly

/** The page with a scripted LLM behind it. */
export const slow = once(async () => {
  const upstream = await scripted();
  return { upstream, ...await stack(upstream.url, { model: null }) };
});

/** Ends everything; fails when a page's server had an error that nobody caught. */
export async function end() {
  for (const thing of kept.splice(0).reverse()) await thing.end();
  for (const server of pages) assert.doesNotMatch(server.text(), /Traceback/);
}

/** Calls lastro itself; the JSON that it answers. */
export async function call(lastro, path, options) {
  const response = await fetch(lastro.url + path, options);
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

/** Puts documents into a collection past the page: [name, bytes]. Gives the collection's id back. */
export async function ingest(lastro, collection, ...documents) {
  const form = new FormData();
  for (const [name, bytes] of documents) form.append('file', new Blob([bytes]), name);
  const path = `/v1/vector_stores/${collection}/documents?create=true&wait=60`;
  const { data } = await call(lastro, path, { method: 'POST', body: form });
  await until(async () => (await documentsOf(lastro, collection)).every((document) => document.status !== 'in_progress'), `${collection} is read`);
  return data[0].vector_store_id;
}

export const documentsOf = async (lastro, collection) => (await call(lastro, `/v1/vector_stores/${collection}/documents`)).data;
