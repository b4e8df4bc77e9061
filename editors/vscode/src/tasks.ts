import * as vscode from 'vscode';
import type { Bridge } from './client';
import type { RunHub } from './hub';
import * as protocol from './protocol';
import { RunTerminal } from './terminal';

export const taskType = 'rdev';

interface RdevTaskDefinition extends vscode.TaskDefinition {
  task: string;
  arguments?: string[];
  onClientExit?: protocol.OnClientExit;
}

/** The tasks of `rdev.toml` under *Run Task*, with their build and test groups. */
export class RdevTaskProvider implements vscode.TaskProvider {
  constructor(
    private readonly bridge: Bridge,
    private readonly hub: RunHub,
  ) {}

  async provideTasks(): Promise<vscode.Task[]> {
    const tasks = await this.bridge.tasks();
    return tasks.map((task) => this.toVsCode(task, { type: taskType, task: task.id }, tasks));
  }

  /** A task that a person wrote into their tasks.json: the same one, with what they added to it. */
  async resolveTask(asked: vscode.Task): Promise<vscode.Task | undefined> {
    const definition = asked.definition as RdevTaskDefinition;
    const task = (await this.bridge.tasks()).find(({ id, name }) => id === definition.task || name === definition.task);
    return task && this.toVsCode(task, definition);
  }

  private toVsCode(task: protocol.Task, definition: RdevTaskDefinition, all: protocol.Task[] = []): vscode.Task {
    const folder = vscode.workspace.getWorkspaceFolder(vscode.Uri.parse(task.folder));
    const result = new vscode.Task(
      definition,
      folder ?? vscode.TaskScope.Workspace,
      task.name,
      taskType,
      new vscode.CustomExecution(async () => this.terminal(definition, task)),
      [], // the bridge finds the problems, and publishes them as diagnostics
    );
    result.detail = task.description ?? task.command;
    const group = { build: vscode.TaskGroup.Build, test: vscode.TaskGroup.Test, run: undefined }[task.group ?? 'run'];
    const isOnly = all.filter((other) => other.group === task.group).length === 1;
    if (group) result.group = isOnly ? asDefault(group) : group;
    return result;
  }

  private terminal(definition: RdevTaskDefinition, task: protocol.Task): RunTerminal {
    const onClose = definition.onClientExit ?? task.onClientExit ?? 'cancel';
    return new RunTerminal(this.hub, {
      request: async () => {
        const document = vscode.window.activeTextEditor?.document.uri;
        return (await this.bridge.connected()).sendRequest(protocol.runRequest, {
          task: definition.task,
          ...(definition.arguments && { arguments: definition.arguments }),
          ...(definition.onClientExit && { onClientExit: definition.onClientExit }),
          ...(document?.scheme === 'file' && { file: document.toString() }),
        });
      },
      cancel: (runId) => this.bridge.cancel(runId),
      onClose,
      reveal: () => void vscode.window.terminals.find(({ name }) => name === task.name)?.show(true),
    });
  }
}

/**
 * The one task of its group is what Ctrl+Shift+B should run without asking.
 *
 * `isDefault` is not part of the constructor, but VS Code reads it from the group that it is given; where it does not, it asks.
 */
function asDefault(group: vscode.TaskGroup): vscode.TaskGroup {
  return Object.create(group, { isDefault: { value: true, enumerable: true } }) as vscode.TaskGroup;
}

/**
 * Runs a task as *Run Task* does: in a terminal of its own. False when there is no such task.
 *
 * In Restricted Mode VS Code asks for trust first; where the answer is no, nothing runs and that is the end of it.
 */
export async function executeTask(idOrName: string): Promise<boolean> {
  const tasks = await vscode.tasks.fetchTasks({ type: taskType });
  const found =
    tasks.find((task) => (task.definition as RdevTaskDefinition).task === idOrName) ?? tasks.find((task) => task.name === idOrName);
  if (!found) return !vscode.workspace.isTrusted;
  await vscode.tasks.executeTask(found);
  return true;
}
