// A person's walk through the installed .vsix, with a picture of each step: node walk.mjs BASE WORKSPACE SETTINGS PICTURES
import { spawn } from 'node:child_process';
import { bridges, openPage, startCodeServer, until, vsix } from './code_server.mjs';
import { person } from './person.mjs';

const [base, workspace, settings, pictures] = process.argv.slice(2);
const server = await startCodeServer(base, JSON.parse(settings));
const { browser, page } = await openPage();
const me = person(page, pictures);

async function lensesAndColours() {
  await me.opens('rdev.toml');
  await me.sees(me.lenses, '▶ Run test');
  await me.picture('lenses');
  await me.clicksLens('▶ Run test');
  await me.sees(me.terminal, 'FAILED (errors=1)');
  await me.sees(me.terminal, 'terminated with exit code: 1');
  await me.sees(me.lenses, 'Output (failed');
  await me.picture('failed');
}

async function watchSwitch() {
  await me.clicksLens('Watch');
  await until('two tasks that watch', async () => (await me.lenses.filter({ hasText: 'Stop watching' }).count()) === 2);
  await me.clicksLens('Stop watching', 1);
  await until('one task that watches', async () => (await me.lenses.filter({ hasText: 'Stop watching' }).count()) === 1);
}

async function keysOfTheGroups() {
  await page.keyboard.press('Control+Shift+B'); // the one build task, without a question
  await me.sees(me.terminal, '$ python3 tools/annotations.py shop');
  await page.locator('.xterm-rows .xterm-fg-3', { hasText: 'warning:' }).first().waitFor();
  console.log('saw the colour');
  await me.picture('build');
  await me.command('Tasks: Run Test Task');
  await me.sees(me.status, 'test');
}

async function problems() {
  await me.opens('shop/cart.py', 25);
  await page.locator('.squiggly-error').first().waitFor();
  await page.locator('.squiggly-warning').first().waitFor();
  console.log('saw the problem on its line');
  await page.keyboard.press('F8');
  await me.sees(page.locator('.marker-widget'), "has no attribute 'quantiy'");
  await me.picture('problem');
  await page.keyboard.press('F8');
  await me.sees(page.locator('.marker-widget'), 'parameter “limit” has no type');
  await page.keyboard.press('Escape');
}

async function codeActions() {
  await me.command('Source Action...');
  await page.locator('.action-widget .monaco-list-row', { hasText: 'Run types' }).click();
  await me.sees(me.status, 'types');
}

async function cancelFromTheStatusBar() {
  await me.command('rdev: Run Task');
  await me.choose('stock');
  await me.sees(me.terminal, 'shelf 2');
  await me.sees(me.status, /stock 0:0[1-9]/);
  await me.sees(page.locator('.statusbar-item'), /stock: .*\d lines/); // progress
  await me.picture('running');
  await me.status.click();
  await me.row('stock').hover();
  await me.picture('runs');
  await me.row('stock').locator('.codicon-debug-stop').click();
  await me.sees(me.terminal, 'terminated with exit code: 130');
  await me.picture('cancelled');
}

async function aBridgeThatIsKilled() {
  await me.command('rdev: Run Task');
  await me.choose('stock');
  await me.sees(me.status, /stock 0:0[2-9]/); // of an earlier run, the shelves still stand in the terminal
  const [before] = bridges();
  process.kill(before, 'SIGKILL');
  await me.sees(me.terminal, 'shelf 6');
  await until('another bridge', () => bridges().some((pid) => pid !== before));
  const shown = (await me.terminal.first().innerText()).replaceAll('\u00a0', ' ');
  const shelves = [...shown.matchAll(/shelf +(\d+)/g)].map(([, shelf]) => Number(shelf));
  const last = shelves.slice(shelves.lastIndexOf(1)); // what an earlier run left stands above
  if (last.some((shelf, index) => shelf !== last[0] + index)) throw new Error(`lost or doubled: ${shelves}`);
  console.log('saw every line once although the bridge was killed');
  await me.pressesInTerminal('Control+C');
  await me.sees(me.terminal, 'terminated with exit code: 130');
}

async function aRunOfAnotherEditor() {
  const [bridge] = JSON.parse(settings)['rdev.server.command'];
  const elsewhere = spawn(bridge, ['run', 'stock'], { cwd: workspace, stdio: 'ignore' });
  const ended = new Promise((resolve) => elsewhere.once('exit', resolve));
  await me.command('Explorer: Focus on rdev Runs View');
  const row = page.locator('.pane-body .monaco-list-row', { hasText: /stock.*running/ }).first();
  await row.click();
  await me.sees(page.locator('.terminal-tabs-entry, .terminal-tab, .single-terminal-tab'), 'rdev: stock');
  await me.sees(me.terminal, 'shelf 2');
  await me.picture('attached');
  await me.pressesInTerminal('Control+C');
  const code = await ended;
  if (code !== 130) throw new Error(`the other's run ended with ${code}`);
  console.log("saw another editor's run end");
}

async function runOnSave() {
  await me.opens('shop/cart.py');
  await me.saves('\n# saved\n');
  await until('the output channel of the run', () => me.showsChannel('rdev: test'));
  await me.sees(me.output, 'exit code 1');
  await me.picture('saved');
  await me.command('Output: Focus on Output View');
  await page.keyboard.press('Control+Home');
  await me.sees(me.output, '(cart.py changed)');
}

async function theWholeLog() {
  await me.status.click();
  await me.row('test').hover();
  await me.row('test').locator('.codicon-output').click();
  await me.sees(page.locator('.tab.active'), 'output.log');
  await me.sees(page.locator('.editor-instance .view-lines'), 'adds up');
}

async function problemsPanel() {
  await me.command('View: Focus Problems');
  await me.sees(page.locator('.markers-panel'), "has no attribute 'quantiy'");
  await me.picture('problems');
}

try {
  server.install(vsix);
  await page.goto(server.url({ folder: workspace }));
  await me.sees(me.status, 'rdev');
  for (const step of [
    lensesAndColours, watchSwitch, keysOfTheGroups, problems, codeActions, cancelFromTheStatusBar, aBridgeThatIsKilled,
    aRunOfAnotherEditor, runOnSave, theWholeLog, problemsPanel,
  ]) {
    await step();
  }
  await page.close(); // a window that goes takes its bridge along
} catch (error) {
  await me.picture('failure');
  throw error;
} finally {
  await browser.close();
  await server.stop();
}
await until('no bridge is left', () => bridges().length === 0, 10_000);
console.log('saw no bridge left');
