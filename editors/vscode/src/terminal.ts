import * as vscode from 'vscode';
import type { RunHub, RunSink } from './hub';
import * as protocol from './protocol';

const ctrlC = '\x03';
const dim = (text: string): string => `\x1b[2m${text}\x1b[0m`;
const red = (text: string): string => `\x1b[31m${text}\x1b[39m`;

export interface TerminalActions {
  /** Asks for the run; the hub gives its output to this terminal. */
  request(): Promise<protocol.RunResult | { runId: string; disposition?: undefined }>;
  cancel(runId: string): Promise<void>;
}

/** One run in a terminal: its colours, Ctrl-C, and its exit code as the task's. */
export class RunTerminal implements vscode.Pseudoterminal, RunSink {
  private readonly writes = new vscode.EventEmitter<string>();
  private readonly closes = new vscode.EventEmitter<number>();
  private runId: string | undefined;
  private over = false;
  private cancelWanted = false;
  readonly onDidWrite = this.writes.event;
  readonly onDidClose = this.closes.event;

  constructor(
    private readonly hub: RunHub,
    private readonly actions: TerminalActions,
  ) {}

  open(): void {
    void this.begin();
  }

  close(): void {
    this.cancel();
  }

  handleInput(data: string): void {
    if (data === ctrlC) this.cancel();
  }

  started(run: protocol.Run): void {
    this.note(run.command);
  }

  output(chunks: protocol.Chunk[]): void {
    this.writes.fire(chunks.map(({ lines }) => lines.join('\r\n') + '\r\n').join(''));
  }

  note(text: string): void {
    this.writes.fire(dim(text.replace(/\r?\n/g, '\r\n')) + '\r\n');
  }

  finished(run: protocol.Run): void {
    if (run.outcome !== 'succeeded' && run.outcome !== 'failed') this.note(protocol.describe(run));
    this.end(run.exitCode ?? 1);
  }

  private async begin(): Promise<void> {
    try {
      const answer = this.actions.request();
      this.runId = await this.hub.claim(answer, this);
      const { disposition } = await answer;
      if (disposition === 'queued') this.note('Waiting for the run before this one to end…');
      if (disposition === 'ignored') {
        this.note('This task is running already, and it says on_busy = "ignore".');
        this.end(0);
      }
      if (this.cancelWanted) await this.actions.cancel(this.runId);
    } catch (error) {
      this.writes.fire(red(error instanceof Error ? error.message : String(error)) + '\r\n');
      this.end(1);
    }
  }

  private cancel(): void {
    if (this.over || this.cancelWanted) return;
    this.cancelWanted = true;
    if (this.runId === undefined) return; // begin() does it once the run has a name
    this.note('Cancelling…');
    void this.actions.cancel(this.runId).catch((error: unknown) => this.note(`Could not cancel: ${String(error)}`));
  }

  private end(exitCode: number): void {
    this.over = true;
    this.closes.fire(exitCode);
  }
}
