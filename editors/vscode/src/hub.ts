import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import * as protocol from './protocol';
import { describe, runLabel } from './wording';

/** Where a run's output goes: a terminal or an output channel. */
export interface RunSink {
  started?(run: protocol.Run): void;
  output(chunks: protocol.Chunk[]): void;
  note(text: string): void;
  finished(run: protocol.Run): void;
  /** Nothing more can be learnt of the run here. */
  lost(reason: string): void;
  reveal(): void;
}

interface Followed {
  run: protocol.Run;
  sink: RunSink;
  /** Of `performance.now()`, a clock that does not jump. */
  sinceMs: number;
  nextSeq: number;
}

/**
 * Knows the runs of this window and hands each one's notifications to exactly one sink.
 *
 * A run that a terminal asked for goes to that terminal, a dependency goes where its parent goes,
 * and all others go to `fallback`.
 */
export class RunHub implements vscode.Disposable {
  private readonly known = new Map<string, protocol.Run>();
  private readonly followed = new Map<string, Followed>();
  private readonly claimed = new Map<string, RunSink>();
  private readonly changed = new vscode.EventEmitter<void>();
  private held: (() => void)[] = [];
  private claims = 0;
  /** The last run of this window that ended. */
  last: protocol.Run | undefined;
  readonly onDidChange = this.changed.event;

  constructor(private readonly fallback: (run: protocol.Run, trigger: protocol.Trigger) => RunSink) {}

  listen(client: LanguageClient): vscode.Disposable {
    return vscode.Disposable.from(
      client.onNotification(protocol.runStarted, (p) => this.deliver(() => this.onStarted(p))),
      client.onNotification(protocol.output, (p) => this.deliver(() => this.onOutput(p))),
      client.onNotification(protocol.outputGap, (p) => this.deliver(() => this.onGap(p))),
      client.onNotification(protocol.runFinished, (p) => this.deliver(() => this.onFinished(p.run))),
      client.onNotification(protocol.runStale, (p) => this.deliver(() => this.onStale(p.run))),
    );
  }

  /**
   * Makes a request that creates a run, or attaches to one, and gives that run to `sink`.
   *
   * What arrives meanwhile is held back, so that the run's first notification cannot pass the answer.
   */
  async claim<T extends { runId: string; disposition?: string }>(request: Promise<T>, sink: RunSink): Promise<T> {
    this.claims += 1;
    try {
      const answer = await request;
      if (answer.disposition !== 'ignored') this.claimed.set(answer.runId, sink);
      return answer;
    } finally {
      this.claims -= 1;
      if (this.claims === 0) {
        const waiting = this.held;
        this.held = [];
        for (const action of waiting) action();
      }
    }
  }

  /** All runs, newest first. */
  list(): protocol.Run[] {
    return [...this.known.values()].sort((a, b) => b.startedAt.localeCompare(a.startedAt));
  }

  /** The runs under way that this window follows, newest first. */
  active(): protocol.Run[] {
    return this.list().filter(({ runId }) => this.followed.has(runId));
  }

  elapsedMs(runId: string): number {
    const followed = this.followed.get(runId);
    return followed ? performance.now() - followed.sinceMs : 0;
  }

  /** Brings what shows the run into view; false where this window does not follow it. */
  reveal(runId: string): boolean {
    const followed = this.followed.get(runId);
    followed?.sink.reveal();
    return followed !== undefined;
  }

  /** Takes in what `rdev/runs` says, so that runs of other editors and earlier windows show too. */
  merge(runs: protocol.Run[]): void {
    const live = [...this.followed.values()].map(({ run }) => run);
    this.known.clear();
    for (const run of [...runs, ...live]) this.known.set(run.runId, run);
    this.changed.fire();
  }

  /** The bridge was lost and is back: goes on with each run after the last line that was seen, in its old place. */
  async resume(client: LanguageClient): Promise<void> {
    for (const { run, sink, nextSeq } of [...this.followed.values()]) {
      const request = client.sendRequest(protocol.attachRequest, { runId: run.runId, seq: nextSeq });
      try {
        await this.claim(request.then(() => ({ runId: run.runId })), sink);
      } catch (error) {
        this.followed.delete(run.runId);
        sink.lost(error instanceof Error ? error.message : String(error));
      }
    }
    this.changed.fire();
  }

  /** The bridge is gone for good: nothing that was under way can be learnt by way of it any more. */
  end(reason: string): void {
    for (const sink of new Set([...this.claimed.values(), ...[...this.followed.values()].map(({ sink }) => sink)])) sink.lost(reason);
    this.claimed.clear();
    this.followed.clear();
    this.known.clear();
    this.changed.fire();
  }

  dispose(): void {
    this.changed.dispose();
  }

  private deliver(action: () => void): void {
    if (this.claims > 0) this.held.push(action);
    else action();
  }

  private onStarted({ run, trigger }: protocol.RunStarted): void {
    this.known.set(run.runId, run);
    const before = this.followed.get(run.runId);
    const parent = run.parentRunId === undefined ? undefined : this.followed.get(run.parentRunId)?.sink;
    const sink = this.claimed.get(run.runId) ?? (parent ? childSink(parent) : this.fallback(run, trigger));
    this.claimed.delete(run.runId);
    const age = trigger.kind === 'attach' ? Math.max(0, Date.now() - Date.parse(run.startedAt)) : 0;
    this.followed.set(run.runId, before ?? { run, sink, sinceMs: performance.now() - age, nextSeq: 0 });
    if (!before) sink.started?.(run);
    this.changed.fire();
  }

  private onOutput({ runId, seq, chunks }: protocol.Output): void {
    const followed = this.followed.get(runId);
    if (!followed) return;
    followed.nextSeq = seq + chunks.reduce((count, { lines }) => count + lines.length, 0);
    followed.sink.output(chunks);
  }

  private onGap({ runId, seq, missing }: protocol.OutputGap): void {
    const followed = this.followed.get(runId);
    if (!followed) return;
    followed.nextSeq = seq + (missing ?? 0);
    followed.sink.note(`${missing === null ? 'Some lines' : `${missing} lines`} can no longer be sent by the server.`);
  }

  private onFinished(run: protocol.Run): void {
    this.known.set(run.runId, run);
    const followed = this.followed.get(run.runId);
    this.followed.delete(run.runId);
    // a look at an old run's output is no news
    if (run.parentRunId === undefined && (!this.last || run.startedAt >= this.last.startedAt)) this.last = run;
    followed?.sink.finished(run);
    this.changed.fire();
  }

  private onStale(run: protocol.Run): void {
    const followed = this.followed.get(run.runId);
    if (followed) followed.run = run;
    this.known.set(run.runId, run);
    if (this.last?.runId === run.runId) this.last = run;
    this.changed.fire();
  }
}

/** A dependency's output stands in its parent's place; its end is a line there and not the end of it. */
function childSink(parent: RunSink): RunSink {
  return {
    started: (run) => parent.note(`${runLabel(run)}: ${run.command}`),
    output: (chunks) => parent.output(chunks),
    note: (text) => parent.note(text),
    finished: (run) => parent.note(`${runLabel(run)}: ${describe(run)}`),
    lost: () => undefined, // its parent says so
    reveal: () => parent.reveal(),
  };
}
