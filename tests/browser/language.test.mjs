// The page speaks the browser's language, and another where it is asked to; on a phone too.
import assert from 'node:assert/strict';
import { scene } from './scene.mjs';
import { ingest, slow } from './world.mjs';

const PORTUGUESE = /Converse com seus documentos/;
const ENGLISH = /Talk to your documents/;

scene('a Brazilian browser sees Portuguese, and English when it asks', { locale: 'pt-BR' }, async (page) => {
  await page.open((await slow()).page.url);
  await page.shows(page.all, PORTUGUESE);
  assert.doesNotMatch(await page.all.innerText(), ENGLISH);
  await page.picture('portuguese');
  await page.speak('English');
  await page.shows(page.all, ENGLISH);
  assert.doesNotMatch(await page.all.innerText(), PORTUGUESE);
});

scene('an American browser sees English, and Portuguese when it asks', { locale: 'en-US' }, async (page) => {
  await page.open((await slow()).page.url);
  await page.shows(page.all, ENGLISH);
  assert.doesNotMatch(await page.all.innerText(), PORTUGUESE);
  await page.speak('Português');
  await page.shows(page.all, PORTUGUESE);
});

scene('a phone shows everything in its width', { locale: 'pt-BR', viewport: { width: 390, height: 844 } }, async (page) => {
  const { lastro, upstream, page: server } = await slow();
  const long = 'um-nome-de-arquivo-bastante-comprido-que-nao-cabe-em-uma-linha-de-um-telefone.txt';
  await ingest(lastro, 'telefone', [long, 'A tampa do tanque é azul. Ela se levanta com a mão.']);
  await page.open(server.url);
  await page.sidebar('open');
  await page.choose('telefone');
  await page.shows(page.documents, /1 trecho/);
  await fits(page);
  await page.picture('phone-documents');
  await page.sidebar('close');
  upstream.say('A tampa é azul [1]. ', 'https://example.org/um-endereco-que-nao-tem-onde-ser-quebrado-em-duas-linhas-de-um-telefone');
  await page.ask('De que cor é a tampa?');
  await page.shows(page.last, /1 fonte/);
  await page.sources(1).open();
  await fits(page);
});

/** Nothing has to be scrolled sideways. */
async function fits(page) {
  const parts = page.page.locator('html, .stMain, [data-testid=stSidebarContent]');
  assert.equal(await parts.count(), 3, 'the page, and what scrolls in it');
  const wide = await parts.evaluateAll((found) => found
    .filter((part) => part.clientWidth > 100 /* not folded away */ && part.scrollWidth > part.clientWidth + 1).map((part) => `${part.tagName} ${part.dataset.testid}: ${part.scrollWidth} > ${part.clientWidth}`));
  assert.deepEqual(wide, []);
}
