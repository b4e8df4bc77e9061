import * as vscode from 'vscode';
import { CloseAction, ErrorAction, LanguageClient, State, type LanguageClientOptions } from 'vscode-languageclient/node';
import { readConfig } from './config';
import { offerHelp } from './help';
import type { RunHub } from './hub';
import { log } from './log';
import * as protocol from './protocol';
import { RunOnSave } from './save';
import { findServer, serverVersion, type ServerCommand } from './server';
import { answerInVsCode } from './trust';

/** Takes over a command that a lens or a code action of the bridge names; false leaves it to the bridge. */
export type CommandInterceptor = (command: string, args: unknown[]) => Promise<boolean>;

const crashesForgivenIn = { count: 3, withinMs: 3 * 60_000 };

/** The connection to the bridge: finds it, starts it, starts it again. */
export class Bridge implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private starting: Promise<LanguageClient | undefined> | undefined;
  private listeners: vscode.Disposable[] = [];
  private crashesMs: number[] = [];
  private hasFailed = false;
  private readonly tasksChanges = new vscode.EventEmitter<void>();
  readonly onDidChangeTasks = this.tasksChanges.event;

  constructor(
    private readonly hub: RunHub,
    private readonly intercept: CommandInterceptor,
  ) {}

  /**
   * The running client; starts it when there is none. Undefined where that fails, which a person is told once;
   * `restart` tries again.
   */
  async ready(): Promise<LanguageClient | undefined> {
    if (this.isRunning) return this.client;
    if (this.hasFailed) return undefined;
    this.starting ??= this.start().finally(() => (this.starting = undefined));
    return this.starting;
  }

  get isRunning(): boolean {
    return this.client?.state === State.Running;
  }

  /** The running client. Rejects where there is none. */
  async connected(): Promise<LanguageClient> {
    const client = await this.ready();
    if (!client) throw new Error('The bridge is not running; the log of rdev-bridge says why.');
    return client;
  }

  async restart(): Promise<void> {
    await this.stop();
    this.hasFailed = false;
    await this.ready();
  }

  async stop(): Promise<void> {
    await this.starting;
    const client = this.client;
    this.client = undefined;
    if (client?.needsStop()) await client.stop(5_000);
    for (const listener of this.listeners.splice(0)) listener.dispose();
    this.hub.end('The bridge was stopped.');
  }

  async tasks(): Promise<protocol.Task[]> {
    return (await this.ready())?.sendRequest(protocol.tasksRequest, {}).then(({ tasks }) => tasks) ?? [];
  }

  async cancel(runId: string): Promise<void> {
    await (await this.connected()).sendRequest(protocol.cancelRequest, { runId });
  }

  dispose(): void {
    this.tasksChanges.dispose();
  }

  private async start(): Promise<LanguageClient | undefined> {
    for (const listener of this.listeners.splice(0)) listener.dispose();
    try {
      const command = await findServer(readConfig().serverCommand);
      log.info(`${command.join(' ')} is ${await serverVersion(command)}`);
      const client = this.build(command);
      this.listen(client);
      await client.start();
      return (this.client = client);
    } catch (error) {
      this.hasFailed = true;
      this.hub.end('The bridge did not start.');
      void this.help(error);
      return undefined;
    }
  }

  /** The bridge ended unasked, killed perhaps. Its runs go on at the server, and a new bridge goes on with them. */
  private lost(): void {
    if (!this.client) return; // it never came up, and `start` says so
    this.client = undefined;
    const now = performance.now();
    this.crashesMs = [...this.crashesMs.filter((then) => now - then < crashesForgivenIn.withinMs), now];
    if (this.crashesMs.length <= crashesForgivenIn.count) {
      log.warn('The bridge ended unexpectedly; starting it again.');
      void this.ready();
    } else {
      const reason = `The bridge ended unexpectedly ${this.crashesMs.length} times within three minutes.`;
      this.crashesMs = [];
      this.hasFailed = true;
      this.hub.end(reason);
      void this.help(new Error(reason));
    }
  }

  private async help(error: unknown): Promise<void> {
    if (await offerHelp(error)) await this.restart();
  }

  private listen(client: LanguageClient): void {
    const runOnSave = new RunOnSave(client);
    const apply = (): void => void runOnSave.apply(readConfig().runOnSave).catch((error: unknown) => log.error(String(error)));
    this.listeners.push(
      this.hub.listen(client),
      runOnSave,
      runOnSave.onDidChangeSetting(apply),
      client.onNotification(protocol.tasksChanged, () => {
        apply();
        this.tasksChanges.fire();
      }),
      client.onNotification(protocol.connection, ({ server, state, message }) => {
        log.info(`${server}: ${state}${message ? `: ${message}` : ''}`);
      }),
      client.onDidChangeState(({ newState }) => {
        if (newState !== State.Running) return;
        answerInVsCode(client);
        void this.hub.resume(client); // what was under way when the bridge before this one was lost
        apply();
        this.tasksChanges.fire();
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => void client.sendRequest(protocol.trustRequest, { editor: true })),
    );
  }

  private build([program, ...rest]: ServerCommand): LanguageClient {
    const options: LanguageClientOptions = {
      documentSelector: [{ scheme: 'file' }],
      initializationOptions: () => ({ rdev: { trusted: vscode.workspace.isTrusted } }),
      outputChannel: log,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          this.lost();
          return { action: CloseAction.DoNotRestart, handled: true }; // a new client takes its place
        },
      },
      middleware: {
        executeCommand: async (command, args: unknown[], next) =>
          (await this.intercept(command, args)) ? undefined : (next(command, args) as Promise<unknown>),
      },
    };
    return new LanguageClient('rdev', 'rdev-bridge', { command: program, args: [...rest, 'lsp', '--stdio'] }, options);
  }
}
