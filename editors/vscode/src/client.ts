import * as vscode from 'vscode';
import { LanguageClient, RevealOutputChannelOn, State, type LanguageClientOptions } from 'vscode-languageclient/node';
import { readConfig } from './config';
import type { RunHub } from './hub';
import { log } from './log';
import { connection, tasksChanged, watchRequest, tasksRequest, type Task } from './protocol';
import { findServer, ServerNotFound, serverVersion, type ServerCommand } from './server';

/** Runs the command that a lens or a code action of the bridge names; true when it was taken care of here. */
export type CommandInterceptor = (command: string, args: unknown[]) => Promise<boolean>;

/** The connection to the bridge: finds it, starts it, starts it again. */
export class Bridge implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private starting: Promise<LanguageClient | undefined> | undefined;
  private listeners: vscode.Disposable[] = [];
  private paused = new Set<string>();
  private readonly tasksChanges = new vscode.EventEmitter<void>();
  readonly onDidChangeTasks = this.tasksChanges.event;

  constructor(
    private readonly hub: RunHub,
    private readonly intercept: CommandInterceptor,
  ) {}

  /** The running client; starts it when there is none, and tells the person once when that fails. */
  async ready(): Promise<LanguageClient | undefined> {
    if (this.client?.state === State.Running) return this.client;
    this.starting ??= this.start().finally(() => (this.starting = undefined));
    return this.starting;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.ready();
  }

  async stop(): Promise<void> {
    await this.starting;
    const client = this.client;
    this.client = undefined;
    for (const listener of this.listeners.splice(0)) listener.dispose();
    if (client?.needsStop()) await client.stop(5_000);
    this.hub.reset('The bridge was stopped.');
  }

  async tasks(): Promise<Task[]> {
    const client = await this.ready();
    return client ? (await client.sendRequest(tasksRequest, {})).tasks : [];
  }

  /** Off: no task of the workspace watches any more. On: those that did watch again. */
  async applyRunOnSave(enabled: boolean): Promise<void> {
    const client = await this.ready();
    if (!client) return;
    const watching = (await this.tasks()).filter((task) => task.watching).map(({ id }) => id);
    const affected = enabled ? [...this.paused] : watching;
    for (const task of affected) await client.sendRequest(watchRequest, { task, enabled });
    this.paused = new Set(enabled ? [] : [...this.paused, ...watching]);
  }

  dispose(): void {
    this.tasksChanges.dispose();
    void this.stop();
  }

  private async start(): Promise<LanguageClient | undefined> {
    const config = readConfig();
    try {
      const command = await findServer(config.serverCommand);
      log.info(`${command.join(' ')} is ${await serverVersion(command)}`);
      this.client = this.build(command);
      this.listeners.push(
        this.hub.listen(this.client),
        this.client.onNotification(tasksChanged, () => this.tasksChanges.fire()),
        this.client.onNotification(connection, ({ state, message }) => log.info(`${state}${message ? `: ${message}` : ''}`)),
        this.client.onDidChangeState(({ newState }) => {
          if (newState === State.Stopped) this.hub.reset('The bridge has stopped; the log says why.');
          if (newState === State.Running) this.tasksChanges.fire();
        }),
      );
      await this.client.start();
      this.tasksChanges.fire();
      if (!config.runOnSave) await this.applyRunOnSave(false);
      return this.client;
    } catch (error) {
      void this.offerHelp(error);
      return undefined;
    }
  }

  private build([program, ...rest]: ServerCommand): LanguageClient {
    const options: LanguageClientOptions = {
      documentSelector: [{ scheme: 'file' }],
      initializationOptions: { rdev: { trusted: vscode.workspace.isTrusted } },
      outputChannelName: 'rdev-bridge (server)',
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      middleware: {
        executeCommand: async (command, args: unknown[], next) =>
          (await this.intercept(command, args)) ? undefined : (next(command, args) as Promise<unknown>),
      },
    };
    return new LanguageClient('rdev', 'rdev-bridge', { command: program, args: [...rest, 'lsp', '--stdio'] }, options);
  }

  private async offerHelp(error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    log.error(reason);
    const install = 'Install…';
    const settings = 'Open Settings';
    const again = 'Try Again';
    const message = error instanceof ServerNotFound ? 'rdev-bridge is not installed here.' : `rdev-bridge did not start: ${reason}`;
    const choice = await vscode.window.showErrorMessage(message, install, settings, again);
    if (choice === install) {
      const terminal = vscode.window.createTerminal('Install rdev-bridge');
      terminal.show();
      terminal.sendText('python3 -m pip install rdev-bridge', false); // left for the person to look at and start
    } else if (choice === settings) {
      await vscode.commands.executeCommand('workbench.action.openSettings', 'rdev.server.command');
    } else if (choice === again) {
      await this.restart();
    }
  }
}
