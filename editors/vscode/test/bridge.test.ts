import * as assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as vscode from 'vscode';
import { eventually, once } from './wait';

const folder = vscode.workspace.workspaceFolders![0]!.uri;

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

interface Runs {
  runs: { command: string; state: string; outcome?: string; lines: number }[];
}
const runs = async (): Promise<Runs['runs']> => (await vscode.commands.executeCommand<Runs>('rdev.runs')).runs;

/** How long, in ms, the window takes for a trivial thing, asked again and again until `done`; sorted. */
async function answerTimes(done: Promise<unknown>): Promise<number[]> {
  let isDone = false;
  void done.finally(() => (isDone = true));
  const tookMs: number[] = [];
  while (!isDone) {
    const askedMs = performance.now();
    await vscode.commands.executeCommand('setContext', 'rdev.test', askedMs);
    tookMs.push(performance.now() - askedMs);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return tookMs.sort((a, b) => a - b);
}
const middle = (sorted: number[]): number => sorted[Math.floor(sorted.length / 2)]!;

/**
 * The window answers all the time while `flood` goes on, and most of the time about as quickly as on this machine now.
 *
 * What a frozen window looks like is one pause about as long as the flood; a busy machine makes short ones anywhere.
 */
async function assertAnswering(flood: () => Promise<unknown>): Promise<void> {
  const idle = middle(await answerTimes(new Promise((resolve) => setTimeout(resolve, 1_000))));
  const beganMs = performance.now();
  const during = await answerTimes(flood());
  const [usual, longest, tookMs] = [middle(during), during.at(-1)!, performance.now() - beganMs];
  assert.ok(usual < 500 + 20 * idle, `the window usually took ${usual} ms to answer; before, ${idle}`);
  assert.ok(longest < Math.max(2_000, 0.6 * tookMs), `the window stood still for ${longest} ms of ${tookMs}`);
}

describe('the extension and a real bridge', () => {
  it('offers the tasks of rdev.toml, with their groups', async () => {
    const tasks = await vscode.tasks.fetchTasks({ type: 'rdev' });
    assert.deepEqual(tasks.map(({ name }) => name).sort(), ['check', 'fail', 'flood', 'hello', 'saved', 'slow']);
    assert.equal((await rdevTask('check')).group?.id, vscode.TaskGroup.Build.id);
    assert.equal((await rdevTask('hello')).detail, 'greets in colour');
    assert.deepEqual((await rdevTask('check')).problemMatchers, []);
  });

  it("ends a task with the command's own exit code", async () => {
    assert.equal(await exitCode('hello'), 0);
    assert.equal(await exitCode('fail'), 7);
  });

  it('shows what a problem matcher finds on the line it names', async () => {
    const uri = vscode.Uri.joinPath(folder, 'app.py');
    await exitCode('check');
    const [diagnostic] = await eventually(() => vscode.languages.getDiagnostics(uri), ({ length }) => length > 0);
    assert.equal(diagnostic?.range.start.line, 1);
    assert.equal(diagnostic?.source, 'rdev:check');
  });

  it('ends the remote process when its task is terminated', async () => {
    const execution = await vscode.tasks.executeTask(await rdevTask('slow'));
    const pid = Number(await eventually(() => readIfThere(vscode.Uri.joinPath(folder, 'slow.pid').fsPath), (text) => text.endsWith('\n')));
    const ended = once(vscode.tasks.onDidEndTask, (event) => event.execution.task.name === 'slow');
    execution.terminate();
    await ended;
    await eventually(() => isAlive(pid), (alive) => !alive);
  });

  it('puts lenses on each task', async () => {
    const uri = vscode.Uri.joinPath(folder, 'rdev.toml');
    await vscode.window.showTextDocument(uri);
    const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', uri);
    const titles = lenses.map(({ command }) => command?.title ?? '');
    for (const title of ['▶ Run hello', 'Watch']) assert.ok(titles.includes(title), titles.join(', '));
  });

  it('takes a task of tasks.json with arguments of its own', async () => {
    const tasks = vscode.Uri.joinPath(folder, '.vscode', 'tasks.json');
    const own = { version: '2.0.0', tasks: [{ type: 'rdev', task: 'fail', arguments: ['0'], label: 'mine', problemMatcher: [] }] };
    await vscode.workspace.fs.writeFile(tasks, Buffer.from(JSON.stringify(own)));
    const mine = await eventually(
      async () => (await vscode.tasks.fetchTasks()).find(({ name }) => name === 'mine'),
      (task) => task !== undefined,
    );
    const ended = once(vscode.tasks.onDidEndTaskProcess, ({ execution }) => execution.task.name === 'mine');
    await vscode.tasks.executeTask(mine!);
    await ended;
    assert.equal((await runs())[0]?.command, 'exit 7 0');
  });

  it('shows a million lines in a terminal without freezing', async () => {
    let code: number | undefined;
    await assertAnswering(async () => (code = await exitCode('flood')));
    assert.equal(code, 0);
  });

  it('shows a million lines in an output channel without freezing, and says what it leaves out', async () => {
    const command = 'seq 1000001 2000000';
    await vscode.workspace.getConfiguration('rdev').update('output.show', 'always', vscode.ConfigurationTarget.Workspace);
    await assertAnswering(async () => {
      await vscode.commands.executeCommand('rdev.run', { command });
      await eventually(runs, (all) => all.some((run) => run.command === command && run.state === 'finished'));
    });
    assert.equal((await runs()).find((run) => run.command === command)?.lines, 1_000_000);
    const text = await eventually(
      () => vscode.workspace.textDocuments.find(({ uri, fileName }) => uri.scheme === 'output' && fileName.includes('seq'))?.getText() ?? '',
      (shown) => shown.includes('> succeeded'),
    );
    const lines = text.split('\n');
    assert.ok(lines.includes('1000001') && lines.includes('2000000'), 'its first and last lines are there');
    const leftOut = [...text.matchAll(/^> (\d+) lines are not shown here/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
    assert.equal(lines.filter((line) => /^\d{7}$/.test(line)).length + leftOut, 1_000_000);
    assert.ok(text.length < 4 * 1024 * 1024, `${text.length} characters`);
  });
});

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
