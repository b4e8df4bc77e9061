import * as vscode from 'vscode';
import { Bridge } from './client';
import { refreshRuns, registerCommands } from './commands';
import { onChange, readConfig } from './config';
import { RunHub } from './hub';
import { log } from './log';
import { OutputChannels } from './output';
import { RunsView } from './runs';
import { StatusItem } from './status';
import { executeTask, RdevTaskProvider, taskType } from './tasks';

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const channels = new OutputChannels(() => readConfig().showOutput);
  const hub = new RunHub((run, trigger) => channels.sinkFor(run, trigger));
  const bridge = new Bridge(hub, runInTerminal);
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
    hub.onDidChange(() => setContext('running', hub.active().length > 0)),
    bridge.onDidChangeTasks(() => void bridge.tasks().then((tasks) => setContext('hasTasks', tasks.length > 0))),
    onChange(['server.command'], () => void bridge.restart()),
    onChange(['runOnSave'], () => void bridge.applyRunOnSave(readConfig().runOnSave)),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void bridge.restart()), // tells the bridge so in its `initialize`
    bridge, // last, so that it is stopped while the rest can still show what it says
  );
  setContext('active', true);
  await bridge.ready();
}

/** A lens that says *Run* does what *Run Task* does; all other commands are the bridge's own. */
async function runInTerminal(command: string, args: unknown[]): Promise<boolean> {
  const [task] = args;
  return command === 'rdev.run' && typeof task === 'string' ? executeTask(task) : false;
}
