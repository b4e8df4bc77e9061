// A person's walk through the installed .vsix, with a picture of each step: node walk.mjs BASE WORKSPACE SETTINGS PICTURES
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { extension, openPage, startCodeServer } from './code_server.mjs';

const [base, workspace, settings, pictures] = process.argv.slice(2);
mkdirSync(pictures, { recursive: true });
const server = await startCodeServer(base, JSON.parse(settings));
const { browser, page } = await openPage();
page.setDefaultTimeout(60_000);

const picture = (name) => page.screenshot({ path: path.join(pictures, `${name}.png`) });
const status = page.locator('[id="rdev-bridge.rdev-bridge.rdev.status"]');
const terminal = page.locator('.xterm-rows');

/** Types a command into the palette and chooses the first answer. */
async function command(...words) {
  await page.keyboard.press('F1');
  for (const word of words) {
    const input = page.locator('.quick-input-widget input:visible');
    await input.waitFor();
    await page.keyboard.type(word);
    await page.locator('.quick-input-list .monaco-list-row', { hasText: word }).first().waitFor();
    await page.keyboard.press('Enter');
  }
}

async function expectText(locator, text) {
  await locator.filter({ hasText: text }).first().waitFor();
  console.log(`saw ${text}`);
}

try {
  server.install(path.join(extension, 'dist', 'rdev-bridge.vsix'));
  await page.goto(server.url({ folder: workspace }));
  await status.waitFor();
  await command('Go to File');
  await page.keyboard.type('rdev.toml');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'rdev.toml' }).first().waitFor();
  await page.keyboard.press('Enter');
  await expectText(page.locator('.codelens-decoration'), 'Run hello');
  await picture('lenses');

  await command('rdev: Run Task', 'hello');
  await expectText(terminal, 'all green');
  await page.locator('.xterm-rows .xterm-fg-2', { hasText: 'all green' }).first().waitFor();
  console.log('saw the colour');
  await picture('terminal');

  await command('rdev: Run Task', 'slow');
  await expectText(status, 'slow');
  await picture('running');
  await command('rdev: Cancel Run');
  await expectText(terminal, 'cancelled');
  await picture('cancelled');

  await command('rdev: Run Task', 'check');
  await expectText(status, 'check');
  await page.locator('.codicon-error, .marker, .squiggly-error').first().waitFor();
  await command('View: Focus Problems');
  await expectText(page.locator('.markers-panel'), 'undefined name');
  await command('Go to File');
  await page.keyboard.type('app.py');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'app.py' }).first().waitFor();
  await page.keyboard.press('Enter');
  await page.locator('.squiggly-error').first().waitFor();
  console.log('saw the problem on its line');
  await picture('problem');
} catch (error) {
  await picture('failure');
  throw error;
} finally {
  await browser.close();
  server.stop();
}
