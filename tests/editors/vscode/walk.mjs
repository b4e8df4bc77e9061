// A person's walk through the installed .vsix, with a picture of each step: node walk.mjs BASE WORKSPACE SETTINGS PICTURES
import { bridges, openPage, startCodeServer, until, vsix } from './code_server.mjs';
import { person } from './person.mjs';

const [base, workspace, settings, pictures] = process.argv.slice(2);
const server = await startCodeServer(base, JSON.parse(settings));
const { browser, page } = await openPage();
const me = person(page, pictures);

async function lensesAndColours() {
  await me.opens('rdev.toml');
  await me.sees(page.locator('.codelens-decoration'), 'Run test');
  await me.picture('lenses');
  await me.clicksLens('Run test');
  await me.sees(me.terminal, 'FAILED (errors=1)');
  await me.sees(me.terminal, 'terminated with exit code: 1');
  await me.picture('failed');
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
  await page.keyboard.press('Escape');
}

async function problemsPanel() {
  await me.command('View: Focus Problems');
  await me.sees(me.problems, "has no attribute 'quantiy'");
  await me.picture('problems');
}

async function cancelFromTheStatusBar() {
  await me.command('rdev: Run Task');
  await me.choose('stock');
  await me.sees(me.terminal, 'shelf 2');
  await me.sees(me.status, /stock 0:0[1-9]/);
  await me.picture('running');
  await me.status.click();
  const row = page.locator('.quick-input-list .monaco-list-row', { hasText: 'stock' }).first();
  await row.hover();
  await me.picture('runs');
  await row.locator('.codicon-debug-stop').click();
  await me.sees(me.terminal, 'terminated with exit code: 130');
  await me.picture('cancelled');
}

async function aBridgeThatIsKilled() {
  await me.command('rdev: Run Task');
  await me.choose('stock');
  await me.sees(me.terminal, 'shelf 3');
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

async function runOnSave() {
  await me.command('View: Toggle Output'); // where the channel will show itself
  await me.opens('shop/cart.py');
  await me.saves('\n# saved\n');
  await me.command('rdev: Show Runs');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'test' }).first().waitFor();
  await page.keyboard.press('Escape');
  await me.command('Output: Show Output Channels');
  await me.choose('rdev: test');
  await me.sees(me.output, 'exit code 1');
  await me.picture('saved');
  await me.output.click();
  await page.keyboard.press('Control+Home');
  await me.sees(me.output, '(cart.py changed)');
}

try {
  server.install(vsix);
  await page.goto(server.url({ folder: workspace }));
  await me.sees(me.status, 'rdev');
  for (const step of [lensesAndColours, keysOfTheGroups, problems, cancelFromTheStatusBar, aBridgeThatIsKilled, runOnSave, problemsPanel]) {
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
