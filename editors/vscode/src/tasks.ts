import * as vscode from 'vscode';
import type { Bridge } from './client';
import type { RunHub } from './hub';
import * as protocol from './protocol';
import { RunTerminal } from './terminal';

export const taskType = 'rdev';

interface RdevTaskDefinition extends vscode.TaskDefinition {
  task: string;
  arguments?: string[];
}

/** The tasks of `rdev.toml` under *Run Task*, with their build and test groups. */
export class RdevTaskProvider implements vscode.TaskProvider {
  constructor(
    private readonly bridge: Bridge,
    private readonly hub: RunHub,
  ) {}

  async provideTasks(): Promise<vscode.Task[]> {
    return (await this.bridge.tasks()).map((task) => this.toVsCode(task, { type: taskType, task: task.id }));
  }

  /** A task that a person wrote into their tasks.json: the same one, with what they added to it. */
  async resolveTask(asked: vscode.Task): Promise<vscode.Task | undefined> {
    const definition = asked.definition as RdevTaskDefinition;
    const task = (await this.bridge.tasks()).find(({ id, name }) => id === definition.task || name === definition.task);
    return task && this.toVsCode(task, definition);
  }

  private toVsCode(task: protocol.Task, definition: RdevTaskDefinition): vscode.Task {
    const folder = vscode.workspace.getWorkspaceFolder(vscode.Uri.parse(task.folder));
    const result = new vscode.Task(
      definition,
      folder ?? vscode.TaskScope.Workspace,
      task.name,
      taskType,
      new vscode.CustomExecution(async () => this.terminal(definition)),
      [], // the bridge finds the problems, and publishes them as diagnostics
    );
    result.detail = task.description ?? task.command;
    if (task.group === 'build') result.group = vscode.TaskGroup.Build;
    if (task.group === 'test') result.group = vscode.TaskGroup.Test;
    return result;
  }

  private terminal(definition: RdevTaskDefinition): RunTerminal {
    return new RunTerminal(this.hub, {
      request: async () => {
        const client = await this.bridge.ready();
        if (!client) throw new Error('The bridge is not running.');
        const extra = definition.arguments ? { arguments: definition.arguments } : {};
        return client.sendRequest(protocol.runRequest, { task: definition.task, ...extra });
      },
      cancel: async (runId) => {
        await (await this.bridge.ready())?.sendRequest(protocol.cancelRequest, { runId });
      },
    });
  }
}

/** Runs a task as *Run Task* does: in a terminal of its own. False when there is no such task. */
export async function executeTask(idOrName: string): Promise<boolean> {
  const tasks = await vscode.tasks.fetchTasks({ type: taskType });
  const found =
    tasks.find((task) => (task.definition as RdevTaskDefinition).task === idOrName) ?? tasks.find((task) => task.name === idOrName);
  if (!found) return false;
  await vscode.tasks.executeTask(found);
  return true;
}
