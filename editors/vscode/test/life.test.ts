import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { eventually, once } from './wait';

const folder = vscode.workspace.workspaceFolders![0]!.uri;
const note = vscode.Uri.joinPath(folder, 'note.txt');

interface Runs {
  runs: { task?: string; state: string; outcome?: string }[];
}
const runsOf = async (task: string): Promise<Runs['runs']> =>
  (await vscode.commands.executeCommand<Runs>('rdev.runs')).runs.filter((run) => run.task === task);

async function watchLenses(): Promise<string[]> {
  const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>(
    'vscode.executeCodeLensProvider',
    vscode.Uri.joinPath(folder, 'rdev.toml'),
  );
  return lenses.map(({ command }) => command?.title ?? '');
}
const isWatching = (titles: string[]): boolean => titles.includes('Stop watching');

async function save(text: string): Promise<void> {
  const editor = await vscode.window.showTextDocument(note);
  await editor.edit((edit) => edit.insert(new vscode.Position(0, 0), text));
  await editor.document.save();
}

async function start(name: string): Promise<vscode.TaskExecution> {
  const task = (await vscode.tasks.fetchTasks({ type: 'rdev' })).find((candidate) => candidate.name === name);
  return vscode.tasks.executeTask(task!);
}

describe('the life of the bridge', () => {
  it('runs on save while the switch is on, and only then', async () => {
    await eventually(watchLenses, isWatching);
    await save('on ');
    const before = await eventually(() => runsOf('saved'), (runs) => runs.length > 0 && runs.every(({ state }) => state === 'finished'));

    await vscode.commands.executeCommand('rdev.toggleRunOnSave');
    await eventually(watchLenses, (titles) => !isWatching(titles));
    await save('off ');
    await vscode.commands.executeCommand('rdev.run', { command: 'true' }); // a save before it would have come first
    assert.equal((await runsOf('saved')).length, before.length);

    await vscode.commands.executeCommand('rdev.toggleRunOnSave');
    await eventually(watchLenses, isWatching);
    await save('on again ');
    await eventually(() => runsOf('saved'), (runs) => runs.length > before.length);
  });

  it('starts again when asked to; what it ran is over by then, and what it ran before is still listed', async () => {
    const ended = once(vscode.tasks.onDidEndTask, ({ execution }) => execution.task.name === 'slow');
    await start('slow');
    await eventually(() => runsOf('slow'), ([newest]) => newest?.state === 'running');
    const known = (await runsOf('slow')).length;
    await vscode.commands.executeCommand('rdev.restartServer');
    await ended;
    const greeted = once(vscode.tasks.onDidEndTaskProcess, ({ execution }) => execution.task.name === 'hello');
    await start('hello');
    assert.equal((await greeted).exitCode, 0);
    const slow = await runsOf('slow');
    assert.equal(slow.length, known);
    assert.ok(slow.every(({ state }) => state === 'finished'), JSON.stringify(slow));
  });
});
