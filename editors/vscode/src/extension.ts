import * as vscode from 'vscode';
import { Bridge } from './client';
import { doInVsCode, refreshRuns, registerCommands, runActions } from './commands';
import { onChange, readConfig } from './config';
import { RunHub } from './hub';
import { log } from './log';
import { OutputChannels } from './output';
import { RunsView } from './runs';
import { onPythonEnvironment } from './server';
import { StatusItem } from './status';
import { RdevTaskProvider, taskType } from './tasks';

let running: Bridge | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const channels = new OutputChannels(() => readConfig().showOutput);
  const hub = new RunHub((run, trigger) => channels.sinkFor(run, trigger));
  const bridge: Bridge = new Bridge(hub, (command, args) => doInVsCode(command, args, hub, runActions(bridge, hub)));
  running = bridge;
  const setContext = (key: string, value: boolean): void => {
    void vscode.commands.executeCommand('setContext', `rdev.${key}`, value);
  };

  context.subscriptions.push(
    log,
    channels,
    hub,
    new StatusItem(hub),
    new RunsView(hub, () => refreshRuns(bridge, hub)),
    registerCommands(bridge, hub),
    vscode.tasks.registerTaskProvider(taskType, new RdevTaskProvider(bridge, hub)),
    hub.onDidChange(() => setContext('running', hub.list().some(({ state }) => state !== 'finished'))),
    bridge.onDidChangeTasks(() => {
      setContext('ready', true);
      void bridge.tasks().then((tasks) => setContext('hasTasks', tasks.length > 0));
    }),
    onChange(['server.command'], () => void bridge.restart()),
  );
  setContext('active', true);
  await bridge.ready();
  const follow = (): void => void followEnvironment(context, bridge);
  if (vscode.workspace.isTrusted) follow();
  else {
    context.subscriptions.push(
      vscode.workspace.onDidGrantWorkspaceTrust(() => {
        if (!bridge.isRunning) void bridge.restart(); // it may look into the Python environment now
        follow();
      }),
    );
  }
}

/** Waited for by VS Code: the bridge is gone, and its runs cancelled or detached, before the window is. */
export async function deactivate(): Promise<void> {
  await running?.stop();
}

/** A bridge that was not found may be in the Python environment: the one that is selected, or that is selected next. */
async function followEnvironment(context: vscode.ExtensionContext, bridge: Bridge): Promise<void> {
  const look = (): void => {
    if (readConfig().serverCommand.length === 0 && !bridge.isRunning) void bridge.restart();
  };
  const subscription = await onPythonEnvironment(look);
  if (subscription) context.subscriptions.push(subscription);
}
