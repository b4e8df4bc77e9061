// Opens a file in a VS Code with the extension, until something made the file SEEN: node open.mjs BASE WORKSPACE SETTINGS SEEN
import { existsSync } from 'node:fs';
import { openPage, startCodeServer, until, vsix } from './code_server.mjs';

const [base, workspace, settings, seen] = process.argv.slice(2);
const server = await startCodeServer(base, JSON.parse(settings));
server.install(vsix);
const { browser, page } = await openPage();
try {
  await page.goto(server.url({ folder: workspace }));
  await until(seen, () => existsSync(seen), 120_000);
} finally {
  await browser.close();
  await server.stop();
}
