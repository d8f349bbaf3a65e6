// The page as a person sees and uses it. Its elements are found by their keys, which Streamlit makes class names.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DEADLINE, TOOLS, until } from './processes.mjs';
import { browser } from './world.mjs';

const SCREENSHOTS = join(TOOLS, 'screenshots');
mkdirSync(SCREENSHOTS, { recursive: true });

export class Page {
  constructor(page) { this.page = page; }

  part(key) { return this.page.locator(`.st-key-${key}`); }

  get documents() { return this.part('documents'); }
  get answers() { return this.part('conversation').locator('[data-testid=stChatMessage]'); }
  get last() { return this.answers.last(); }
  get all() { return this.page.locator('[data-testid=stApp]'); }
  get problem() { return this.part('problem'); }

  /** Goes to the page, and waits until Streamlit has drawn it. `collection`: the id of one to begin with, by the page's address. */
  async open(url, collection) {
    await this.page.goto(collection ? `${url}?collection=${collection}` : url);
    await this.drawn();
    return this;
  }

  async reload() {
    await this.page.reload();
    await this.drawn();
  }

  async drawn() {
    await this.page.locator('[data-testid=stApp][data-test-script-state=notRunning]').waitFor();
    await this.part('language').first().waitFor();
    await until(async () => (await this.page.locator('[data-testid=stSkeleton]').count()) === 0, 'everything is drawn');
  }

  /** Makes a collection with the page's own form, and stays on it. */
  async create(collection) {
    await this.part('new_collection').locator('input').fill(collection);
    await this.part('new_collection').locator('input').press('Tab');
    await this.part('create_collection').locator('button').click();
    await until(async () => (await this.collection()).includes(collection), `the collection ${collection} is chosen`);
  }

  /** The name of the chosen collection. */
  async collection() {
    const part = this.part('collection');
    return `${await part.innerText()} ${await part.locator('input').inputValue()}`;
  }

  async choose(collection) {
    await this.part('collection').locator('input').click();
    await this.page.locator('[role=option]', { hasText: collection }).first().click();
    await until(async () => (await this.collection()).includes(collection), `${collection} is chosen`);
  }

  /** On a phone the sidebar covers the conversation: 'open' or 'close'. */
  async sidebar(way) {
    await this.page.locator(way === 'open' ? '[data-testid=stExpandSidebarButton]' : '[data-testid=stSidebarCollapseButton] button').click();
    await this.page.waitForTimeout(500); // it slides
  }

  async speak(language) { await this.part('language').locator('label', { hasText: language }).click(); }

  /** Gives files to the uploader: [name, bytes]. */
  async upload(...files) {
    const given = files.map(([name, bytes]) => ({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(bytes) }));
    await this.part('upload').locator('input[type=file]').setInputFiles(given);
  }

  async ask(question) {
    await this.page.locator('.st-key-question textarea').fill(question);
    await this.page.locator('.st-key-question textarea').press('Enter');
  }

  /** The sources of the answer with this number. */
  sources(number) {
    const all = this.part(`sources-${number}`);
    const open = async () => {
      await all.locator('summary').first().click();
      await this.page.waitForTimeout(500); // it unfolds
    };
    return { all, open };
  }

  async shows(locator, text) {
    await until(async () => (await locator.allInnerTexts()).join('\n').match(text), `the page shows ${text}`).catch(async (error) => {
      throw new Error(`${error.message}; it shows: ${(await locator.allInnerTexts()).join('\n').slice(0, 1500)}`);
    });
  }

  async picture(name) { await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) }); }
}

const contexts = new Map();

/** A new window; those of one language and size share what the browser keeps of files, or each would read all of Streamlit again. */
export async function window(locale = 'en-US', viewport = { width: 1280, height: 800 }) {
  const name = JSON.stringify([locale, viewport]);
  if (!contexts.has(name)) contexts.set(name, await (await browser()).context({ locale, viewport }));
  contexts.get(name).setDefaultTimeout(DEADLINE);
  return new Page(await contexts.get(name).newPage());
}
