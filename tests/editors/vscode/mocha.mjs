// Runs the extension's Mocha tests in the extension host of a real VS Code: node mocha.mjs BASE WORKSPACE SETTINGS
import { extension, openPage, startCodeServer } from './code_server.mjs';

const [base, workspace, settings] = process.argv.slice(2);
const server = await startCodeServer(base, JSON.parse(settings), { driver: true });
const { browser, page } = await openPage();
try {
  const exited = new Promise((resolve, reject) => {
    void page.exposeFunction('codeAutomationExit', resolve);
    void page.exposeFunction('codeAutomationLog', (type, args) => console.log(...args));
    setTimeout(() => reject(new Error('the tests did not end within six minutes')), 360_000).unref();
  });
  const remote = `vscode-remote://127.0.0.1:${server.port}`;
  const payload = [
    ['extensionDevelopmentPath', `${remote}${extension}`],
    ['extensionTestsPath', `${remote}${extension}/dist/test/index.js`],
  ];
  await page.goto(server.url({ folder: workspace, payload: JSON.stringify(payload) }));
  process.exitCode = await exited;
} finally {
  await browser.close();
  await server.stop();
}
