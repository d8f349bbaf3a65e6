// What is missing is said, and what to do about it.
import assert from 'node:assert/strict';
import { scene } from './scene.mjs';
import { lastroCommand, until } from './processes.mjs';
import { documentsOf, ingest, lastro, scripted, stack, streamlit } from './world.mjs';

const MANUAL = ['manual.txt', 'The lid of the tank is blue.'];

scene('without its LLM server the page says so, takes documents, and answers when it is back', {}, async (page) => {
  let upstream = await scripted();
  const { lastro: server, page: address } = await stack(upstream.url, { model: null });
  await ingest(server, 'pump', MANUAL);
  const { port } = upstream;
  await upstream.end();
  await page.open(address.url);
  await page.ask('What colour is the lid?');
  await page.shows(page.all, /The language model's server does not answer/);
  await page.shows(page.all, /--upstream/);
  await page.picture('no-llm-server');
  // The page draws itself anew just now: docker/streamlit/mended.py.
  await page.upload(['more.txt', 'The hose is green.']);
  await until(async () => (await documentsOf(server, 'pump')).length === 2, 'the document is taken');

  upstream = await scripted(port);
  upstream.say('Blue, again.');
  await page.reload();
  await page.ask('What colour is the lid?');
  await page.shows(page.last, /Blue, again\./);
  await page.problem.waitFor({ state: 'detached' });

  // lastro goes away under an open page.
  await server.end();
  await page.ask('What colour is the hose?');
  await page.shows(page.all, /lastro does not answer/);
  await page.picture('no-lastro-any-more');
});

scene('without lastro the page says where it looked', { locale: 'pt-BR' }, async (page) => {
  const gone = await lastro((await scripted()).url, { model: null });
  await gone.end();
  const address = await streamlit(gone.url);
  await page.open(address.url);
  await page.shows(page.problem, /O lastro não responde em/);
  assert.ok((await page.problem.innerText()).includes(gone.url), 'the address is named');
  assert.doesNotMatch(await page.all.innerText(), /Crie uma coleção|Nenhuma coleção/, 'what is not known is not said');
  await page.picture('no-lastro');

  // It is found again without a restart of the page.
  await lastro((await scripted()).url, { model: null, data: gone.data, listen: new URL(gone.url).host });
  await page.reload();
  await page.problem.waitFor({ state: 'detached' });
});

scene('a key that is missing and a key that is wrong are two messages, and a right one works', {}, async (page) => {
  const upstream = await scripted();
  const server = await lastro(upstream.url, { model: null });
  await ingest(server, 'pump', MANUAL);
  const key = lastroCommand('keys', 'create', 'page', '--scopes', 'chat,ingest', '--all-collections', '--data', server.data);
  const [missing, wrong, right] = await Promise.all([{}, { LASTRO_KEY: 'sk-lastro-wrong' }, { LASTRO_KEY: key }].map((env) => streamlit(server.url, env)));

  await page.open(missing.url);
  await page.shows(page.problem, /The key is missing.*lastro keys create.*LASTRO_KEY/s);
  assert.doesNotMatch(await page.all.innerText(), /[Cc]reate a collection|No collection/, 'what is not known is not said');
  await page.picture('key-missing');
  await page.open(wrong.url);
  await page.shows(page.problem, /The key in LASTRO_KEY is not in force/);
  assert.doesNotMatch(await page.all.innerText(), /sk-lastro/, 'no key is shown');
  await page.picture('key-wrong');

  await page.open(right.url);
  upstream.say('Blue, for those who may ask.');
  await page.ask('What colour is the lid?');
  await page.shows(page.last, /Blue, for those who may ask\./);
  assert.equal(await page.problem.count(), 0);
  assert.doesNotMatch(await page.page.content(), /sk-lastro/, 'the key stays at the server');

  lastroCommand('keys', 'revoke', 'page', '--data', server.data);
  await page.ask('And now?');
  await page.shows(page.all, /not in force/);
});
