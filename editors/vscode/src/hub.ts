import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import * as protocol from './protocol';

/** Where a run's output goes: a terminal or an output channel. */
export interface RunSink {
  started?(run: protocol.Run, trigger: protocol.Trigger): void;
  output(chunks: protocol.Chunk[]): void;
  note(text: string): void;
  finished(run: protocol.Run): void;
}

/**
 * Knows the runs of this window and hands each one's notifications to exactly one sink.
 *
 * A run that a terminal asked for goes to that terminal, a dependency goes where its parent goes,
 * and all others go to `fallback`.
 */
export class RunHub implements vscode.Disposable {
  private readonly runs = new Map<string, protocol.Run>();
  private readonly sinks = new Map<string, RunSink>();
  private readonly startTimes = new Map<string, number>();
  private readonly changed = new vscode.EventEmitter<protocol.Run | undefined>();
  private held: (() => void)[] = [];
  private claims = 0;
  readonly onDidChange = this.changed.event;

  constructor(private readonly fallback: (run: protocol.Run, trigger: protocol.Trigger) => RunSink) {}

  listen(client: LanguageClient): vscode.Disposable {
    return vscode.Disposable.from(
      client.onNotification(protocol.runStarted, (p) => this.deliver(() => this.onStarted(p))),
      client.onNotification(protocol.output, (p) => this.deliver(() => this.sinks.get(p.runId)?.output(p.chunks))),
      client.onNotification(protocol.outputGap, (p) => this.deliver(() => this.onGap(p))),
      client.onNotification(protocol.runFinished, (p) => this.deliver(() => this.onFinished(p.run))),
    );
  }

  /**
   * Makes a request that creates a run and gives that run to `sink`.
   *
   * What arrives meanwhile is held back, so that the run's first notification cannot pass the answer.
   */
  async claim(request: Promise<{ runId: string }>, sink: RunSink): Promise<string> {
    this.claims += 1;
    try {
      const { runId } = await request;
      this.sinks.set(runId, sink);
      return runId;
    } finally {
      this.claims -= 1;
      if (this.claims === 0) {
        const waiting = this.held;
        this.held = [];
        for (const action of waiting) action();
      }
    }
  }

  /** Newest first. */
  list(): protocol.Run[] {
    return [...this.runs.values()].sort((a, b) => b.startedAt.localeCompare(a.startedAt));
  }

  active(): protocol.Run[] {
    return this.list().filter((run) => run.state !== 'finished');
  }

  /** Milliseconds since this window saw the run start, by a clock that does not jump. */
  elapsedMs(runId: string): number {
    return performance.now() - (this.startTimes.get(runId) ?? performance.now());
  }

  /** Takes in what `rdev/runs` says, so that runs of other editors show too. */
  merge(runs: protocol.Run[]): void {
    for (const run of runs) this.runs.set(run.runId, run);
    this.changed.fire(undefined);
  }

  /** The bridge is gone: nothing that was under way can be learnt by way of it any more. */
  reset(reason: string): void {
    for (const sink of this.sinks.values()) sink.note(reason);
    this.sinks.clear();
    this.runs.clear();
    this.changed.fire(undefined);
  }

  dispose(): void {
    this.changed.dispose();
  }

  private deliver(action: () => void): void {
    if (this.claims > 0) this.held.push(action);
    else action();
  }

  private onStarted({ run, trigger }: protocol.RunStarted): void {
    this.runs.set(run.runId, run);
    this.startTimes.set(run.runId, performance.now());
    const parent = run.parentRunId === undefined ? undefined : this.sinks.get(run.parentRunId);
    const sink = this.sinks.get(run.runId) ?? (parent ? childSink(parent) : this.fallback(run, trigger));
    this.sinks.set(run.runId, sink);
    sink.started?.(run, trigger);
    this.changed.fire(run);
  }

  private onGap({ runId, missing }: protocol.OutputGap): void {
    const count = missing === null ? 'Some lines' : `${missing} lines`;
    this.sinks.get(runId)?.note(`${count} can no longer be sent by the server.`);
  }

  private onFinished(run: protocol.Run): void {
    this.runs.set(run.runId, run);
    this.sinks.get(run.runId)?.finished(run);
    this.sinks.delete(run.runId);
    this.startTimes.delete(run.runId);
    this.changed.fire(run);
  }
}

/** A dependency's output stands in its parent's place; its end is a line there and not the end of it. */
function childSink(parent: RunSink): RunSink {
  return {
    started: (run) => parent.note(`${protocol.runLabel(run)}: ${run.command}`),
    output: (chunks) => parent.output(chunks),
    note: (text) => parent.note(text),
    finished: (run) => parent.note(`${protocol.runLabel(run)}: ${protocol.describe(run)}`),
  };
}
