// Tests in a window of their own.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { window } from './page.mjs';
import { end } from './world.mjs';

after(end);

/** One test with a window of its own; its last sight is kept as .tools/screenshots/NAME.png, and as NAME-failed.png. */
export function scene(name, { locale, viewport }, act) {
  const file = name.toLowerCase().replace(/[^a-z0-9]+/g, '-').slice(0, 60);
  test(name, async (t) => {
    const page = await window(locale, viewport);
    const errors = [];
    page.page.on('pageerror', (error) => errors.push(error.message));
    try {
      await act(page, t);
      assert.equal(await page.page.locator('[data-testid=stException]').count(), 0, 'Streamlit shows an error of the page');
      assert.deepEqual(errors, [], 'errors in the browser');
      await page.picture(file);
    } catch (error) {
      await page.picture(`${file}-failed`).catch((lost) => console.error(`no screenshot: ${lost.message}`));
      throw error;
    } finally {
      await page.page.close();
    }
  });
}
