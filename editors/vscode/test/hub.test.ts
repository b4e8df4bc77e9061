import * as assert from 'node:assert/strict';
import { RunHub, type RunSink } from '../src/hub';
import type * as protocol from '../src/protocol';

type Listener = (params: unknown) => void;

/** Stands where the language client stands: hands notifications to whoever listens. */
class Notifications {
  private readonly listeners = new Map<string, Listener>();

  onNotification(type: { method: string }, listener: Listener): { dispose(): void } {
    this.listeners.set(type.method, listener);
    return { dispose: () => this.listeners.delete(type.method) };
  }

  send(method: string, params: unknown): void {
    this.listeners.get(method)?.(params);
  }
}

class Recorder implements RunSink {
  readonly seen: string[] = [];
  output(chunks: protocol.Chunk[]): void {
    this.seen.push(...chunks.flatMap(({ lines }) => lines));
  }
  note(text: string): void {
    this.seen.push(`# ${text}`);
  }
  finished(run: protocol.Run): void {
    this.seen.push(`end ${run.outcome}`);
  }
}

function runOf(runId: string, more: Partial<protocol.Run> = {}): protocol.Run {
  return {
    runId,
    command: 'true',
    folder: 'file:///w',
    project: 'p',
    state: 'running',
    startedAt: `2026-01-01T00:00:0${runId}.000Z`,
    lines: 0,
    logUri: 'file:///log',
    ...more,
  };
}

describe('RunHub', () => {
  let fallback: Recorder;
  let hub: RunHub;
  let bridge: Notifications;

  beforeEach(() => {
    fallback = new Recorder();
    hub = new RunHub(() => fallback);
    bridge = new Notifications();
    hub.listen(bridge as never);
  });

  const started = (run: protocol.Run): void => bridge.send('rdev/runStarted', { run, trigger: { kind: 'request' } });
  const says = (runId: string, ...lines: string[]): void =>
    bridge.send('rdev/output', { runId, seq: 0, chunks: [{ stream: 'stdout', lines }] });
  const ends = (run: protocol.Run): void => bridge.send('rdev/runFinished', { run: { ...run, state: 'finished', outcome: 'succeeded' } });

  it('gives a run that nobody claimed to the fallback', () => {
    started(runOf('1'));
    says('1', 'a', 'b');
    ends(runOf('1'));
    assert.deepEqual(fallback.seen, ['a', 'b', 'end succeeded']);
  });

  it('gives a claimed run to its terminal, also when output passes the answer', async () => {
    const terminal = new Recorder();
    let answer!: (value: { runId: string }) => void;
    const claim = hub.claim(new Promise((resolve) => (answer = resolve)), terminal);
    started(runOf('1'));
    says('1', 'early');
    assert.deepEqual(fallback.seen, []);
    answer({ runId: '1' });
    assert.equal(await claim, '1');
    says('1', 'late');
    assert.deepEqual(terminal.seen, ['early', 'late']);
    assert.deepEqual(fallback.seen, []);
  });

  it('lets what was held go on when the request fails', async () => {
    const claim = hub.claim(Promise.reject(new Error('no')), new Recorder());
    started(runOf('1'));
    says('1', 'a');
    await assert.rejects(claim);
    assert.deepEqual(fallback.seen, ['a']);
  });

  it('shows a dependency in its parent and does not end the parent with it', async () => {
    const terminal = new Recorder();
    await hub.claim(Promise.resolve({ runId: '1' }), terminal);
    started(runOf('1', { task: 'test' }));
    started(runOf('2', { task: 'build', parentRunId: '1' }));
    says('2', 'building');
    ends(runOf('2', { task: 'build', parentRunId: '1' }));
    says('1', 'testing');
    assert.deepEqual(terminal.seen, ['# build: true', 'building', '# build: succeeded', 'testing']);
  });

  it('lists newest first and knows what is under way', () => {
    started(runOf('1'));
    started(runOf('2'));
    ends(runOf('1'));
    assert.deepEqual(hub.list().map(({ runId }) => runId), ['2', '1']);
    assert.deepEqual(hub.active().map(({ runId }) => runId), ['2']);
  });

  it('says a gap where it is', () => {
    started(runOf('1'));
    bridge.send('rdev/outputGap', { runId: '1', seq: 0, missing: 3 });
    assert.deepEqual(fallback.seen, ['# 3 lines can no longer be sent by the server.']);
  });
});
