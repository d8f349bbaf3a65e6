// The conversation: an answer that grows, is stopped, is followed up, and is forgotten. The LLM server is a scripted one.
import assert from 'node:assert/strict';
import { scene } from './scene.mjs';
import { until } from './processes.mjs';
import { ingest, slow } from './world.mjs';

const QUESTION = 'What colour is the lid?';
const MANUAL = ['manual.txt', 'The lid of the tank is blue. It is lifted by hand.'];

async function manual(page, collection) {
  const world = await slow();
  await page.open(world.page.url, await ingest(world.lastro, collection, MANUAL));
  return world;
}

scene('an answer is shown while it grows', {}, async (page) => {
  const { upstream } = await manual(page, 'grows');
  upstream.say('The lid', ' is', null, ' blue [1].');
  await page.ask(QUESTION);
  await page.shows(page.last, /The lid is/);
  assert.doesNotMatch(await page.last.innerText(), /blue \[1\]/, 'the rest was not sent yet');
  await page.picture('answer-under-way');
  upstream.goOn();
  await page.shows(page.last, /The lid is blue/);
  await page.shows(page.last, /1 source/);
  const sources = page.sources(1);
  await sources.open();
  await page.shows(sources.all, /manual\.txt.*The lid of the tank is blue\. It is lifted by hand\./s);
  const prompt = JSON.stringify(upstream.requests.at(-1).messages);
  assert.match(prompt, /The lid of the tank is blue/, 'the passage went to the model');
});

scene('a stopped answer keeps its text, and the LLM server is told', { locale: 'pt-BR' }, async (page) => {
  const { upstream } = await manual(page, 'stop');
  const before = upstream.cancelled;
  upstream.say('A tampa', null, ' é azul.');
  await page.ask('De que cor é a tampa?');
  await page.shows(page.last, /A tampa/);
  await page.part('stop').locator('button').click();
  await until(() => upstream.cancelled === before + 1, 'the connection to the LLM server is closed');
  await page.shows(page.last, /A tampa.*Interrompida/s);
  await page.part('stop').waitFor({ state: 'detached' });
  upstream.say('É azul.');
  await page.ask('E agora?');
  await page.shows(page.last, /É azul\./);
});

scene('a closed page ends its answer', {}, async (page) => {
  const { upstream } = await manual(page, 'closed');
  const before = upstream.cancelled;
  upstream.say('The lid', null, ' is blue.');
  await page.ask(QUESTION);
  await page.shows(page.last, /The lid/);
  await page.page.goto('about:blank');
  await until(() => upstream.cancelled === before + 1, 'the connection to the LLM server is closed');
});

scene('a follow-up carries the turns before it, and a new conversation none', {}, async (page) => {
  const { upstream } = await manual(page, 'turns');
  upstream.say('It is blue.');
  await page.ask(QUESTION);
  await page.shows(page.last, /It is blue\./);
  upstream.say('By hand.');
  await page.ask('And how is it lifted?');
  await page.shows(page.last, /By hand\./);
  const { messages } = upstream.requests.at(-1);
  assert.deepEqual(messages.map(({ role }) => role).filter((role) => role !== 'system'), ['user', 'assistant', 'user']);
  const said = messages.filter(({ role }) => role !== 'system').map(({ content }) => JSON.stringify(content));
  assert.match(said[0], /What colour is the lid\?/);
  assert.match(said[1], /It is blue\./);
  assert.match(said[2], /And how is it lifted\?/);
  assert.equal(await page.answers.count(), 4, 'two questions and two answers');
  await page.picture('followed-up');

  await page.part('new_conversation').locator('button').click();
  await until(async () => (await page.answers.count()) === 0, 'the conversation is empty');
  upstream.say('Blue, as ever.');
  await page.ask('Is it red?');
  await page.shows(page.last, /Blue, as ever\./);
  const again = upstream.requests.at(-1).messages.filter(({ role }) => role !== 'system');
  assert.equal(again.length, 1);
  assert.doesNotMatch(JSON.stringify(again), /What colour/);
});

scene('what a model or a file name says fetches nothing and runs nothing', {}, async (page) => {
  const { upstream, lastro, page: server } = await slow();
  const leak = `${upstream.url}/leak`;
  const name = '![a](leak) <b>bold `$x$`.txt';
  const collection = await ingest(lastro, 'hostile', [name, `The lid is blue. ![a](${leak}) <img src="${leak}">`]);
  const asked = [];
  page.page.on('request', (request) => asked.push(request.url()));
  await page.open(server.url, collection);
  upstream.say(`Blue ![a](${leak}) <img src="${leak}"> ![b][c] <script>document.title = 'leak'</script> $5 and $6.\n\n[c]: ${leak}\n\n<style>body { background: url(${leak}) }</style>`);
  await page.ask(QUESTION);
  await page.shows(page.last, /1 source/);
  await page.sources(1).open();
  await page.shows(page.sources(1).all, /The lid is blue/);
  assert.ok((await page.documents.innerText()).includes(name), 'a file name is shown as it is');
  assert.ok((await page.sources(1).all.innerText()).includes(name), 'among the sources too');
  await page.shows(page.last, /\$5 and \$6\./);
  assert.deepEqual(asked.filter((url) => url.includes('leak')), []);
  assert.doesNotMatch(await page.page.title(), /leak/);
});
