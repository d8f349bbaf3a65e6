// Renews the pictures of README.md and docs/guide/page.md: a question of the sample documents, answered by the real
// models, its sources open.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, TOOLS, until } from './processes.mjs';
import { window } from './page.mjs';
import { end, ingest, llm, stack } from './world.mjs';

const PICTURES = [
  { name: 'page-pt', locale: 'pt-BR', model: 'qwen', embedding: 'multilingual-e5-small', collection: 'universidade', document: 'lei-11788-estagio.pdf', question: 'O que é estágio?', sources: /fontes?/ },
  { name: 'page-en', locale: 'en-US', model: 'smollm2', embedding: 'multilingual-e5-small', collection: 'debian', document: 'debian-faq.pdf', question: 'What is the code name of the unstable distribution?', sources: /sources?/ },
];

try {
  for (const { name, locale, model, embedding, collection, document, question, sources } of PICTURES) {
    if (!existsSync(join(TOOLS, 'llm', `${model}.gguf`))) throw new Error(`there is no ${model}; scripts/install ${model} brings it`);
    const { lastro, page: server } = await stack(await llm(model), { model: embedding, passages: 3 });
    const id = await ingest(lastro, collection, [document, readFileSync(join(ROOT, 'collections', collection, document))]);
    const page = await (await window(locale)).open(server.url, id);
    await page.ask(question);
    await page.shows(page.last, sources);
    await page.sources(1).open();
    // By the wheel, as a person would: the conversation clings to its end otherwise.
    await page.page.mouse.move(860, 60);
    await page.page.mouse.wheel(0, -5_000);
    await until(() => page.page.locator('.stMain').evaluate((main) => main.scrollTop === 0), 'the question is in sight');
    await page.page.mouse.move(0, 0);
    await page.page.waitForTimeout(500); // the scrollbar fades
    const file = join(ROOT, 'docker/streamlit', `${name}.png`);
    await page.page.screenshot({ path: file });
    console.log(`${file}: ${statSync(file).size >> 10} KB\n${await page.last.innerText()}\n`);
    await page.page.close();
    await server.end();
    await lastro.end();
  }
} finally {
  await end();
}
