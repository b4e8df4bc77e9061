import * as vscode from 'vscode';
import type { RunHub, RunSink } from './hub';
import { Pace } from './pace';
import * as protocol from './protocol';
import { bridgeFailed, describe, exitCodeOf } from './wording';

const ctrlC = '\x03';
const dim = (text: string): string => `\x1b[2m${text.replace(/\r?\n/g, '\r\n')}\x1b[22m\r\n`;
const red = (text: string): string => `\x1b[31m${text.replace(/\r?\n/g, '\r\n')}\x1b[39m\r\n`;
/** A terminal keeps 1000 lines by default, and silently drops what it cannot keep up with beyond 50 MB. */
const limits = { everyMs: 32, perTurn: 64 * 1024, kept: 512 * 1024 };
/** VS Code says of a terminal that ends earlier with an error that it "failed to launch". */
const launchedAfterMs = 600;

export interface TerminalActions {
  /** Asks for the run; the hub gives its output to this terminal. */
  request(): Promise<{ runId: string; disposition?: protocol.RunResult['disposition'] }>;
  cancel(runId: string): Promise<void>;
  /** What happens to the run when the terminal is closed. */
  onClose: protocol.OnClientExit;
  /** Brings the terminal into view. */
  reveal(): void;
}

/** One run in a terminal: its colours, Ctrl-C, and its exit code as the task's. */
export class RunTerminal implements vscode.Pseudoterminal, RunSink {
  private readonly writes = new vscode.EventEmitter<string>();
  private readonly closes = new vscode.EventEmitter<number>();
  private readonly pace = new Pace((text, leftOut) => this.writes.fire(leftOut > 0 ? this.gap(leftOut) + text : text), () => limits);
  private runId: string | undefined;
  private logUri: string | undefined;
  private over = false;
  private cancelWanted = false;
  private openedMs = 0;
  readonly onDidWrite = this.writes.event;
  readonly onDidClose = this.closes.event;

  constructor(
    private readonly hub: RunHub,
    private readonly actions: TerminalActions,
  ) {}

  open(): void {
    this.openedMs = performance.now();
    void this.begin();
  }

  close(): void {
    if (this.actions.onClose === 'cancel') this.cancel();
    this.over = true;
    this.pace.dispose();
  }

  handleInput(data: string): void {
    if (data === ctrlC) this.cancel();
  }

  reveal(): void {
    this.actions.reveal();
  }

  started(run: protocol.Run): void {
    this.logUri = run.logUri;
    this.note(`$ ${run.command}`);
  }

  output(chunks: protocol.Chunk[]): void {
    if (this.over) return;
    for (const { lines } of chunks) this.pace.push(lines.join('\r\n') + '\r\n', lines.length);
  }

  note(text: string): void {
    if (!this.over) this.pace.push(dim(text), 0);
  }

  finished(run: protocol.Run): void {
    if (run.outcome !== 'succeeded' && run.outcome !== 'failed') this.note(describe(run));
    void this.end(exitCodeOf(run));
  }

  lost(reason: string): void {
    this.say(red(reason));
    void this.end(bridgeFailed);
  }

  private async begin(): Promise<void> {
    try {
      const { runId, disposition } = await this.hub.claim(this.actions.request(), this);
      if (disposition === 'ignored') {
        this.note('This task is running already, and it says on_busy = "ignore".');
        void this.end(0);
        return;
      }
      this.runId = runId;
      if (disposition === 'queued') this.note('Waiting for the run before this one to end…');
      if (this.cancelWanted) await this.actions.cancel(runId);
    } catch (error) {
      this.lost(error instanceof Error ? error.message : String(error));
    }
  }

  private cancel(): void {
    if (this.over || this.cancelWanted) return;
    this.cancelWanted = true;
    this.say(dim('^C cancelling…'));
    if (this.runId === undefined) return; // begin() does it once the run has a name
    void this.actions.cancel(this.runId).catch((error: unknown) => this.say(red(`Could not cancel: ${String(error)}`)));
  }

  /** Now, ahead of what waits. */
  private say(text: string): void {
    if (!this.over) this.writes.fire(text);
  }

  private gap(lines: number): string {
    const log = this.logUri === undefined ? 'the log' : vscode.Uri.parse(this.logUri).fsPath;
    return `\x1b[0m${dim(`… ${lines} lines are not shown here; all of them are in ${log}`)}`;
  }

  private async end(exitCode: number): Promise<void> {
    await this.pace.drain();
    const rest = exitCode === 0 ? 0 : launchedAfterMs - (performance.now() - this.openedMs);
    if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
    this.over = true;
    this.closes.fire(exitCode);
  }
}
