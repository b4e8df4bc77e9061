import * as vscode from 'vscode';
import { readConfig, writeRunOnSave } from './config';
import type { Bridge } from './client';
import type { RunHub } from './hub';
import { log } from './log';
import * as protocol from './protocol';
import { pickRun } from './runs';
import { executeTask } from './tasks';
import { RunTerminal } from './terminal';

/** The commands of the palette and the menus. */
export function registerCommands(bridge: Bridge, hub: RunHub): vscode.Disposable {
  const cancel = async (runId: string): Promise<void> => {
    await (await bridge.ready())?.sendRequest(protocol.cancelRequest, { runId });
  };

  const attach = (run: protocol.Run): void => {
    const pty = new RunTerminal(hub, {
      request: async () => {
        const client = await bridge.ready();
        if (!client) throw new Error('The bridge is not running.');
        await client.sendRequest(protocol.attachRequest, { runId: run.runId, seq: 0 });
        return { runId: run.runId };
      },
      cancel,
    });
    vscode.window.createTerminal({ name: `rdev: ${protocol.runLabel(run)}`, pty }).show();
  };

  const openLog = async (run: protocol.Run): Promise<void> => {
    await vscode.window.showTextDocument(vscode.Uri.parse(run.logUri), { preview: true });
  };

  const rerun = async (run: protocol.Run): Promise<void> => {
    if (run.task !== undefined && (await executeTask(run.task))) return;
    await (await bridge.ready())?.sendRequest('workspace/executeCommand', { command: 'rdev.rerun', arguments: [run.runId] });
  };

  const pick = async (): Promise<void> => {
    await refreshRuns(bridge, hub);
    const run = await pickRun(hub.list(), 'Runs, newest first');
    if (!run) return;
    const actions = new Map<string, () => unknown>(
      run.state === 'finished'
        ? [
            ['$(refresh) Run again', () => rerun(run)],
            ['$(output) Open its log', () => openLog(run)],
          ]
        : [
            ['$(debug-stop) Cancel', () => cancel(run.runId)],
            ['$(terminal) Attach', () => attach(run)],
            ['$(output) Open its log', () => openLog(run)],
          ],
    );
    const choice = await vscode.window.showQuickPick([...actions.keys()], { placeHolder: protocol.runLabel(run) });
    await (choice === undefined ? undefined : actions.get(choice)?.());
  };

  const pickTask = async (name?: unknown): Promise<void> => {
    if (typeof name === 'string') {
      if (!(await executeTask(name))) void vscode.window.showErrorMessage(`There is no task “${name}” in rdev.toml.`);
      return;
    }
    const tasks = await bridge.tasks();
    if (tasks.length === 0) {
      void vscode.window.showInformationMessage('No tasks yet: run `rdev-bridge init` in a terminal to write an rdev.toml.');
      return;
    }
    const items = tasks.map((task) => ({ label: task.id, description: task.description ?? '', detail: task.command }));
    const choice = await vscode.window.showQuickPick(items, { placeHolder: 'Task to run', matchOnDescription: true });
    if (choice) await executeTask(choice.label);
  };

  /** A command of a view item gets its run; from the palette the person picks one. */
  const forRun =
    (act: (run: protocol.Run) => unknown, from: () => protocol.Run[] = () => hub.list()) =>
    async (run?: protocol.Run): Promise<void> => {
      const choices = from();
      const chosen = run ?? (choices.length === 1 ? choices[0] : await pickRun(choices, 'Which run?'));
      if (chosen) await act(chosen);
    };

  const handlers: Record<string, (...args: never[]) => unknown> = {
    'rdev.runTask': pickTask,
    'rdev.pickRun': pick,
    'rdev.cancelRun': forRun((run) => cancel(run.runId), () => hub.active()),
    'rdev.rerunRun': forRun(rerun),
    'rdev.attachRun': forRun(attach),
    'rdev.openRunLog': forRun(openLog),
    'rdev.toggleRunOnSave': async () => writeRunOnSave(!readConfig().runOnSave),
    'rdev.restartServer': () => bridge.restart(),
    'rdev.showLog': () => log.show(),
  };
  return vscode.Disposable.from(...Object.entries(handlers).map(([id, handler]) => vscode.commands.registerCommand(id, handler)));
}

/** Takes in the runs of other editors and earlier windows. */
export async function refreshRuns(bridge: Bridge, hub: RunHub): Promise<void> {
  const client = await bridge.ready();
  if (client) hub.merge((await client.sendRequest(protocol.runsRequest, {})).runs);
}
