// The first minutes with somebody else's two folders and no bridge installed: node first.mjs BASE WORKSPACE SETTINGS PICTURES
import { cpSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openPage, startCodeServer, vsix } from './code_server.mjs';
import { person } from './person.mjs';

const [base, workspace, settings, pictures] = process.argv.slice(2);
const { 'rdev.server.command': installed, ...others } = JSON.parse(settings);
const second = path.join(path.dirname(workspace), 'market');
cpSync(workspace, second, { recursive: true });
const both = path.join(path.dirname(workspace), 'both.code-workspace');
writeFileSync(both, JSON.stringify({ folders: [{ path: workspace }, { path: second }] }));
process.env.PATH = process.env.PATH.split(':').filter((folder) => folder !== path.dirname(installed[0])).join(':');

const strict = { ...others, 'security.workspace.trust.startupPrompt': 'never', 'workbench.editor.useModal': 'off' };
const server = await startCodeServer(base, strict, { trustAll: false });
const { browser, page } = await openPage();
const me = person(page, pictures);
const toast = page.locator('.notification-toast');

async function helpWhereThereIsNoBridge() {
  await me.sees(toast, 'rdev-bridge was not found on PATH');
  await me.picture('missing');
  await toast.getByRole('button', { name: 'How to Install' }).click();
  await me.sees(page.locator('.gettingStartedContainer'), 'Install the bridge');
  await me.picture('walkthrough');
}

async function theSettingIsEnough() {
  writeFileSync(path.join(base, 'user', 'Machine', 'settings.json'), JSON.stringify({ ...strict, 'rdev.server.command': installed }));
  await me.opens('market/rdev.toml');
  await me.sees(me.lenses, '▶ Run types');
  await me.command('rdev: Run Task');
  await me.row('shop:types').waitFor();
  await me.row('market:types').waitFor();
  await me.picture('folders');
  await me.dismisses();
}

async function nothingStartsByItself() {
  await me.opens('shop/cart.py');
  await me.saves('# saved\n');
  await me.sees(toast, 'start by themselves');
  await me.picture('untrusted');
  await toast.getByRole('button', { name: 'Manage Workspace Trust' }).click();
  await me.sees(page.locator('.workspace-trust-editor'), 'You are in Restricted Mode');
  await me.sees(me.status, /^\W*rdev$/); // nothing has run
}

async function untilTheWorkspaceIsTrusted() {
  await page.locator('.workspace-trust-editor').getByRole('button', { name: 'Trust', exact: true }).first().click();
  await me.sees(page.locator('.workspace-trust-editor'), 'You trust this workspace');
  await me.command('rdev: Run Task');
  await me.choose('market:types');
  await me.sees(me.terminal, 'warning:');
  await me.command('View: Focus Problems');
  await me.sees(page.locator('.markers-panel .monaco-list-row'), /cart\.py.*market/);
}

async function fromThenOnASaveRuns() {
  await me.opens('shop/cart.py');
  await me.saves('# saved again\n');
  await me.sees(me.status, 'test');
}

try {
  server.install(vsix);
  await page.goto(server.url({ workspace: both }));
  const steps = [helpWhereThereIsNoBridge, theSettingIsEnough, nothingStartsByItself, untilTheWorkspaceIsTrusted, fromThenOnASaveRuns];
  for (const step of steps) await step();
} catch (error) {
  await me.picture('failure');
  throw error;
} finally {
  await browser.close();
  await server.stop();
}
console.log('came to its end');
