// Documents: uploaded, read, refused; also by two people at once, and by one who reloads the page.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { window } from './page.mjs';
import { ROOT, until } from './processes.mjs';
import { scene } from './scene.mjs';
import { documentsOf, real } from './world.mjs';

const file = (path) => [basename(path), readFileSync(join(ROOT, path))];
const FAQ = file('collections/debian/debian-faq.pdf');
const LAW = file('collections/universidade/lei-11788-estagio.pdf');
const fixture = (name) => file(`tests/fixtures/documents/${name}`);
const paragraphs = (count) => Array.from({ length: count }, (_, number) => `Paragraph ${number} tells where part ${number * 7919} of the ship is kept.\n\n`).join('');

scene('a PDF is uploaded, read, asked, and its passage opened', {}, async (page) => {
  const { lastro, page: server } = await real();
  await page.open(server.url);
  await page.create('faq');
  await page.upload(FAQ);
  await page.shows(page.documents, /debian-faq\.pdf/);
  await page.picture('upload-under-way');
  await page.shows(page.documents, /^19 pages · \d+ passages$/m);
  assert.equal(await page.documents.getByText('debian-faq.pdf').count(), 1, 'sent once, shown once');
  const [document] = await documentsOf(lastro, 'faq');
  await page.shows(page.documents, new RegExp(`^${document.pages} pages · ${document.chunks} passages$`, 'm'));

  await page.ask('What is the code name of the unstable distribution?');
  await page.shows(page.last, /sources?/);
  await page.picture('answered');
  const sources = page.sources(1);
  await sources.open();
  await page.shows(sources.all, /debian-faq\.pdf.*page \d+/s);
  await page.shows(sources.all, /sid/i);
});

scene('the reason is said why a PDF with a password was not read', { locale: 'pt-BR' }, async (page) => {
  await page.open((await real()).page.url);
  await page.create('senha');
  await page.upload(fixture('com-senha.pdf'));
  await page.shows(page.documents, /com-senha\.pdf.*protegido por senha/s);
});

scene('the reason is said in English too, and a good file beside it is read', {}, async (page) => {
  await page.open((await real()).page.url);
  await page.create('password');
  await page.upload(fixture('com-senha.pdf'), fixture('expedicao.pdf'));
  await page.shows(page.documents, /password/);
  await page.shows(page.documents, /expedicao\.pdf.*2 pages/s);
});

scene('several files go in at once', { locale: 'pt-BR' }, async (page) => {
  const { lastro, page: server } = await real();
  await page.open(server.url);
  await page.create('varios');
  await page.upload(fixture('expedicao.pdf'), LAW, ['notas.txt', 'A senha do cofre é jabuticaba.']);
  for (const name of ['expedicao.pdf', 'lei-11788-estagio.pdf', 'notas.txt']) {
    await page.shows(page.documents, new RegExp(`${name.replaceAll('.', '\\.')}\\s+(\\d+ páginas? · )?\\d+ trechos?$`, 'm'));
  }
  const states = (await documentsOf(lastro, 'varios')).map(({ filename, status }) => `${filename} ${status}`).sort();
  assert.deepEqual(states, ['expedicao.pdf completed', 'lei-11788-estagio.pdf completed', 'notas.txt completed']);
});

scene('the same file sent by two people at once is one document', {}, async (page) => {
  const { lastro, page: server } = await real();
  await page.open(server.url);
  await page.create('once');
  const other = await (await window()).open(server.url);
  await other.choose('once');
  await Promise.all([page, other].map((one) => one.upload(['twice.txt', 'The lid of the tank is blue.'])));
  for (const one of [page, other]) await one.shows(one.documents, /twice\.txt.*1 passage/s);
  assert.equal((await documentsOf(lastro, 'once')).length, 1);
  for (const one of [page, other]) assert.equal(await one.documents.getByText('1 passage').count(), 1, 'one document in the list');
  await other.page.close();
});

scene('a page reloaded in the middle of an upload shows the document, and it is read to its end', {}, async (page) => {
  const { lastro, page: server } = await real();
  await page.open(server.url);
  await page.create('reload');
  // As much as keeps the embedding model busy until the page was loaded again.
  for (const length of [500, 2_000, 8_000, 32_000]) {
    const name = `${length}.txt`;
    const found = async () => (await documentsOf(lastro, 'reload')).find(({ filename }) => filename === name);
    await page.upload([name, paragraphs(length)]);
    await until(found, 'lastro has the file');
    await page.reload();
    await page.shows(page.documents, new RegExp(`\\b${name}`));
    await until(async () => (await page.collection()).includes('reload'), 'the collection is still chosen');
    if ((await found()).status === 'completed') continue;
    await page.picture('reloaded-under-way');
    await page.shows(page.documents, new RegExp(`\\b${name}\\s+\\d+ passages$`, 'm'));
    assert.equal((await found()).status, 'completed');
    return;
  }
  assert.fail('every file was read before the page was loaded again');
});
