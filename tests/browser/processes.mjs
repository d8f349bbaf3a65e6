// Servers of the tests: started on free ports, read until they answer, and ended with the tests, whatever happens.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const TOOLS = join(ROOT, '.tools');
export const BINARY = process.env.LASTRO_BINARY || join(ROOT, 'target/release/lastro');
// What a busy machine may need; a test that passes never waits this long.
export const DEADLINE = 90_000;

const FOLDER = mkdtempSync(join(tmpdir(), 'lastro-browser-'));
const running = new Set();
let folders = 0;

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(FOLDER, { recursive: true, force: true, maxRetries: 3 });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
setTimeout(() => {
  console.error('the tests did not end within 15 minutes');
  process.exit(1);
}, 15 * 60_000).unref();

/** A new empty folder that is removed at the end. */
export const folder = () => mkdtempSync(join(FOLDER, `${++folders}-`));

/** Waits until `done` gives something true, and gives that back. */
export async function until(done, what, deadline = DEADLINE) {
  for (const ends = Date.now() + deadline; ; await sleep(50)) {
    const found = await done();
    if (found) return found;
    if (Date.now() > ends) throw new Error(`it did not come about within ${deadline / 1000} s: ${what}`);
  }
}

export const freePort = () => new Promise((resolve, reject) => {
  const probe = createServer().on('error', reject).listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});

export class Server {
  /** Starts a command in a folder of its own; what it prints goes into logs there. */
  constructor(command, { env = {}, cwd = folder() } = {}) {
    // Apart, because llama.cpp speaks of its address in its own log too.
    this.files = ['output', 'errors'].map((name) => join(cwd, `${name}.log`));
    const [output, errors] = this.files.map((file) => openSync(file, 'a'));
    this.child = spawn(command[0], command.slice(1), { cwd, env: { ...process.env, ...env }, stdio: ['ignore', output, errors] });
    closeSync(output);
    closeSync(errors);
    this.name = command.join(' ');
    running.add(this.child);
    this.ended = new Promise((resolve) => {
      const over = () => { running.delete(this.child); resolve(); };
      this.child.on('exit', over).on('error', (error) => { this.error = error; over(); });
    });
  }

  text() { return this.files.map((file) => readFileSync(file, 'utf8')).join(''); }

  alive() { return running.has(this.child); }

  /** Waits for something true from `done`; fails at once when the server ends before. */
  async answers(done) {
    return until(async () => {
      if (!this.alive()) throw new Error(`${this.name} ended: ${this.error ?? ''}\n${this.text().slice(-3000)}`);
      return done();
    }, `${this.name} answers`);
  }

  /** The address in its line `listening on http://...`. */
  async listening() {
    const found = await this.answers(() => /listening on (http:\S+)/.exec(readFileSync(this.files[0], 'utf8')));
    this.url = found[1].replace(/\/$/, '');
    return this;
  }

  /** Ends it in order, and by force where it does not. */
  async end() {
    if (!this.alive()) return;
    this.child.kill('SIGTERM');
    const force = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    await this.ended;
    clearTimeout(force);
  }
}

/** Whether an address answers 200 now. */
export async function ok(url) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false; // nobody listens yet
  }
}

/** A lastro command, to its end; what it printed. */
export function lastroCommand(...words) {
  const done = spawnSync(BINARY, words, { cwd: FOLDER, encoding: 'utf8', timeout: DEADLINE });
  if (done.status !== 0) throw new Error(`lastro ${words.join(' ')}: ${done.error ?? done.stderr}`);
  return done.stdout.trim();
}
