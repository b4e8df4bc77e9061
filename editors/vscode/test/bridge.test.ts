import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';

/** Waits for `event` until `accept` says yes to what it brought. */
function once<T>(event: vscode.Event<T>, accept: (value: T) => boolean): Promise<T> {
  return new Promise((resolve) => {
    const subscription = event((value) => {
      if (accept(value)) {
        subscription.dispose();
        resolve(value);
      }
    });
  });
}

async function rdevTask(name: string): Promise<vscode.Task> {
  const tasks = await vscode.tasks.fetchTasks({ type: 'rdev' });
  const task = tasks.find((candidate) => candidate.name === name);
  assert.ok(task, `no task ${name} among ${tasks.map((candidate) => candidate.name).join(', ')}`);
  return task;
}

async function exitCode(name: string): Promise<number | undefined> {
  const ended = once(vscode.tasks.onDidEndTaskProcess, ({ execution }) => execution.task.name === name);
  await vscode.tasks.executeTask(await rdevTask(name));
  return (await ended).exitCode;
}

describe('the extension and a real bridge', () => {
  it('offers the tasks of rdev.toml, with their groups', async () => {
    const tasks = await vscode.tasks.fetchTasks({ type: 'rdev' });
    assert.deepEqual(tasks.map(({ name }) => name).sort(), ['check', 'fail', 'hello', 'slow']);
    assert.equal((await rdevTask('check')).group, vscode.TaskGroup.Build);
  });

  it("ends a task with the command's own exit code", async () => {
    assert.equal(await exitCode('hello'), 0);
    assert.equal(await exitCode('fail'), 7);
  });

  it('shows what a problem matcher finds on the line it names', async () => {
    const uri = vscode.Uri.joinPath(vscode.workspace.workspaceFolders![0]!.uri, 'app.py');
    const found = once(vscode.languages.onDidChangeDiagnostics, () => vscode.languages.getDiagnostics(uri).length > 0);
    await exitCode('check');
    await found;
    const [diagnostic] = vscode.languages.getDiagnostics(uri);
    assert.equal(diagnostic?.range.start.line, 1);
    assert.equal(diagnostic?.source, 'rdev:check');
  });

  it('cancels what a terminal shows when the task is terminated', async () => {
    const began = once(vscode.tasks.onDidStartTask, ({ execution }) => execution.task.name === 'slow');
    const execution = await vscode.tasks.executeTask(await rdevTask('slow'));
    await began;
    const ended = once(vscode.tasks.onDidEndTask, (event) => event.execution.task.name === 'slow');
    execution.terminate();
    await ended;
  });

  it('puts a lens on each task', async () => {
    const uri = vscode.Uri.joinPath(vscode.workspace.workspaceFolders![0]!.uri, 'rdev.toml');
    await vscode.window.showTextDocument(uri);
    const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', uri);
    const titles = lenses.map(({ command }) => command?.title ?? '');
    assert.ok(titles.some((title) => title.includes('hello')), titles.join(', '));
  });
});
