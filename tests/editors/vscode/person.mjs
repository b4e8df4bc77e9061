// What a person does in VS Code, with the keyboard and the mouse, and what they wait to see.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { until } from './code_server.mjs';

export function person(page, pictures) {
  mkdirSync(pictures, { recursive: true });
  const row = (text) => page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first();
  /** The box on top, once it is the one that was asked for. */
  const box = (placeholder) => page.locator(`.quick-input-widget input[placeholder^="${placeholder}"]`);
  /** Opens a list, types, and chooses. A page that takes the focus as it comes up closes the list: then once more. */
  const pick = async (key, placeholder, typed, wanted) => {
    await until(`${wanted} in the list`, async () => {
      if (!(await box(placeholder).isVisible())) {
        await page.keyboard.press(key);
        await box(placeholder).fill(typed);
      }
      return row(wanted).isVisible();
    }, 45_000);
    await row(wanted).click();
  };
  const me = {
    status: page.locator('[id="rdev-bridge.rdev-bridge.rdev.status"]'),
    terminal: page.locator('.xterm-rows:visible'),
    lenses: page.locator('.codelens-decoration a'),
    output: page.locator('.output-view .view-lines'),

    /** The picture of a step; steps are what the caller checks. */
    async picture(name) {
      await page.screenshot({ path: path.join(pictures, `${name}.png`) });
    },
    async sees(locator, text) {
      await locator.filter({ hasText: text }).first().waitFor();
      console.log(`saw ${text}`);
    },
    async choose(text) {
      await row(text).click();
    },
    async command(title) {
      await pick('F1', 'Type the name of a command', `>${title}`, title);
    },
    async dismisses() {
      await page.keyboard.press('Escape');
      await page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
    },
    async opens(file, line = 1) {
      await pick('Control+P', 'Search files', `${file}:${line}`, path.basename(file));
      await page.locator('.tab.active', { hasText: path.basename(file) }).waitFor();
    },
    /** Chooses an output channel, where it is there by now: the list is of the channels there were as it opened. */
    async showsChannel(name) {
      await me.command('Output: Show Output Channels');
      await row('rdev-bridge').waitFor();
      const isThere = await row(name).isVisible();
      await (isThere ? me.choose(name) : me.dismisses());
      return isThere;
    },
    async clicksLens(title, which = 0) {
      await me.lenses.filter({ hasText: new RegExp(`^${title}`) }).nth(which).click();
    },
    /** The first entry of the list on top that holds `text`. */
    row,
    async pressesInTerminal(keys) {
      await page.locator('.terminal-wrapper.active .xterm-helper-textarea').first().focus();
      await page.keyboard.press(keys);
    },
    async saves(text) {
      await page.locator('.editor-group-container .view-lines').first().click();
      await page.keyboard.press('Control+End');
      await page.keyboard.type(text);
      await page.keyboard.press('Control+S');
    },
  };
  return me;
}
