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
  lost(reason: string): void {
    this.seen.push(`lost ${reason}`);
  }
  reveal(): void {
    this.seen.push('revealed');
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
    const claim = hub.claim(new Promise<{ runId: string }>((resolve) => (answer = resolve)), terminal);
    started(runOf('1'));
    says('1', 'early');
    assert.deepEqual(fallback.seen, []);
    answer({ runId: '1' });
    assert.deepEqual(await claim, { runId: '1' });
    says('1', 'late');
    assert.deepEqual(terminal.seen, ['early', 'late']);
    assert.deepEqual(fallback.seen, []);
  });

  it('lets what was held go on when the request fails', async () => {
    const claim = hub.claim(Promise.reject<{ runId: string }>(new Error('no')), new Recorder());
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

  it('leaves the run in the way where it is, when a request was ignored', async () => {
    const [terminal, second] = [new Recorder(), new Recorder()];
    await hub.claim(Promise.resolve({ runId: '1' }), terminal);
    started(runOf('1'));
    await hub.claim(Promise.resolve({ runId: '1', disposition: 'ignored' }), second);
    says('1', 'still here');
    assert.deepEqual(terminal.seen, ['still here']);
    assert.deepEqual(second.seen, []);
  });

  it('goes on in the same place, after the last line seen, when the bridge was lost', async () => {
    started(runOf('1'));
    bridge.send('rdev/output', { runId: '1', seq: 0, chunks: [{ stream: 'stdout', lines: ['a', 'b'] }] });
    const asked: unknown[] = [];
    const client = {
      sendRequest: (_: unknown, params: unknown) => {
        asked.push(params);
        return Promise.resolve({});
      },
    };
    await hub.resume(client as never);
    assert.deepEqual(asked, [{ runId: '1', seq: 2 }]);
    bridge.send('rdev/runStarted', { run: runOf('1'), trigger: { kind: 'attach' } });
    says('1', 'c');
    assert.deepEqual(fallback.seen, ['a', 'b', 'c']);
  });

  it('tells each place once when nothing can be learnt any more', () => {
    started(runOf('1'));
    hub.end('gone');
    hub.end('gone');
    assert.deepEqual(fallback.seen, ['lost gone']);
    assert.deepEqual(hub.active(), []);
  });

  it("shows other editors' runs, but follows only its own", () => {
    started(runOf('1'));
    hub.merge([runOf('1'), runOf('2'), runOf('3', { state: 'finished', outcome: 'failed' })]);
    assert.deepEqual(hub.list().map(({ runId }) => runId), ['3', '2', '1']);
    assert.deepEqual(hub.active().map(({ runId }) => runId), ['1']);
    assert.equal(hub.last, undefined);
  });
});
