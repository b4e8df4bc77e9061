import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { onChange } from './config';
import { tasksRequest, watchRequest } from './protocol';

/**
 * The switch for all that starts by itself. Off: no task of the workspace watches. On: those that did watch again.
 *
 * A task that a person switches on by its lens while the switch is off stays on.
 */
export class RunOnSave implements vscode.Disposable {
  private readonly paused = new Set<string>();
  private readonly settings = new vscode.EventEmitter<void>();
  private readonly subscription = onChange(['runOnSave'], () => this.settings.fire());
  private turn: Promise<void> = Promise.resolve();
  readonly onDidChangeSetting = this.settings.event;

  constructor(private readonly client: LanguageClient) {}

  /** One after the other: a switch that is flicked twice ends as it was flicked last. */
  apply(enabled: boolean): Promise<void> {
    this.turn = this.turn.catch(() => undefined).then(() => this.set(enabled));
    return this.turn;
  }

  dispose(): void {
    this.subscription.dispose();
    this.settings.dispose();
  }

  private async set(enabled: boolean): Promise<void> {
    if (enabled) {
      const again = [...this.paused];
      this.paused.clear();
      for (const task of again) await this.client.sendRequest(watchRequest, { task, enabled: true });
      return;
    }
    const { tasks } = await this.client.sendRequest(tasksRequest, {});
    for (const { id, watching } of tasks) {
      if (!watching || this.paused.has(id)) continue;
      this.paused.add(id);
      await this.client.sendRequest(watchRequest, { task: id, enabled: false });
    }
  }
}
