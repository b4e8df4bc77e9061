import * as vscode from 'vscode';
import { readConfig, writeRunOnSave } from './config';
import type { Bridge } from './client';
import type { RunHub } from './hub';
import { log } from './log';
import { pickRun, type RunActions } from './picker';
import * as protocol from './protocol';
import { executeTask } from './tasks';
import { RunTerminal } from './terminal';
import { runLabel } from './wording';

/** What can be done with a run, whoever started it. */
export function runActions(bridge: Bridge, hub: RunHub): RunActions {
  const attach = (run: protocol.Run): void => {
    const pty = new RunTerminal(hub, {
      request: async () => {
        await (await bridge.connected()).sendRequest(protocol.attachRequest, { runId: run.runId, seq: 0 });
        return { runId: run.runId };
      },
      cancel: (runId) => bridge.cancel(runId),
      onClose: 'detach', // it was there before this terminal
      reveal: () => terminal.show(true),
    });
    const terminal = vscode.window.createTerminal({ name: `rdev: ${runLabel(run)}`, pty, iconPath: new vscode.ThemeIcon('remote') });
    terminal.show(true);
  };
  return {
    show: (run) => hub.reveal(run.runId) || attach(run),
    cancel: (run) => bridge.cancel(run.runId),
    openLog: (run) => vscode.window.showTextDocument(vscode.Uri.parse(run.logUri), { preview: true }),
    rerun: async (run) => {
      if (run.task !== undefined && (await executeTask(run.task))) return;
      const again = { command: 'rdev.rerun', arguments: [run.runId] };
      await (await bridge.connected()).sendRequest('workspace/executeCommand', again);
    },
  };
}

/** The commands of the palette and the menus. */
export function registerCommands(bridge: Bridge, hub: RunHub): vscode.Disposable {
  const actions = runActions(bridge, hub);

  const pickTask = async (name?: unknown): Promise<void> => {
    if (!(await bridge.ready())) await bridge.restart(); // where that fails too, it says what to do
    if (!bridge.isRunning) return;
    if (typeof name === 'string') {
      if (!(await executeTask(name))) void vscode.window.showErrorMessage(`There is no task “${name}” in rdev.toml.`);
      return;
    }
    const tasks = await bridge.tasks();
    if (tasks.length === 0) {
      void vscode.window.showInformationMessage('No tasks yet: `rdev-bridge init` in a terminal writes an rdev.toml.');
      return;
    }
    const items = tasks.map((task) => ({ label: task.id, description: task.description ?? '', detail: task.command }));
    const choice = await vscode.window.showQuickPick(items, { placeHolder: 'Task to run', matchOnDescription: true });
    if (choice) await executeTask(choice.label);
  };

  /** A command of a view item gets its run; where there is one candidate it is meant; else the person picks. */
  const forRun =
    (action: keyof RunActions, placeholder: string, isCandidate: (run: protocol.Run) => boolean = () => true) =>
    async (run?: protocol.Run): Promise<void> => {
      if (!run) await refreshRuns(bridge, hub);
      const candidates = run ? [run] : hub.list().filter(isCandidate);
      if (candidates.length === 1) await actions[action](candidates[0]!);
      else if (candidates.length === 0) void vscode.window.showInformationMessage('rdev: there is no such run.');
      else pickRun(candidates, actions, placeholder, action);
    };
  const isActive = ({ state }: protocol.Run): boolean => state !== 'finished';

  const handlers: Record<string, (...args: never[]) => unknown> = {
    'rdev.runTask': pickTask,
    'rdev.pickRun': async () => {
      await refreshRuns(bridge, hub);
      pickRun(hub.list(), actions, 'Runs, newest first: Enter shows the output');
    },
    'rdev.showRun': forRun('show', 'Run whose output to show'),
    'rdev.cancelRun': forRun('cancel', 'Run to cancel', isActive),
    'rdev.rerunRun': forRun('rerun', 'Run to run again'),
    'rdev.openRunLog': forRun('openLog', 'Run whose log to open'),
    'rdev.toggleRunOnSave': () => writeRunOnSave(!readConfig().runOnSave),
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

/** What a lens or a quick fix of the bridge asks for, done the way VS Code does it; false leaves it to the bridge. */
export async function doInVsCode(command: string, args: unknown[], hub: RunHub, actions: RunActions): Promise<boolean> {
  const [argument] = args;
  const wanted = namesOf(argument);
  const meant = (): protocol.Run | undefined =>
    hub.list().find(({ runId }) => wanted.includes(runId)) ??
    hub.list().find(({ task }) => task !== undefined && wanted.some((name) => name.split(':').at(-1) === task));
  switch (command) {
    case 'rdev.run':
      return typeof argument === 'string' ? executeTask(argument) : false;
    case 'rdev.showOutput': {
      const run = meant();
      if (run) await actions.show(run);
      return run !== undefined;
    }
    default:
      return false;
  }
}

/** The run's id and the task that a lens (one text) or an action on a diagnostic (`{runId, task}`) names. */
function namesOf(argument: unknown): string[] {
  const named = typeof argument === 'object' && argument !== null ? Object.values(argument) : [argument];
  return named.filter((name): name is string => typeof name === 'string');
}
