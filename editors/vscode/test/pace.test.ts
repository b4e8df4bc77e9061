import * as assert from 'node:assert/strict';
import { Pace, type Limits } from '../src/pace';

/** A clock that turns when it is told to. */
class Clock {
  private waiting: (() => void) | undefined;
  delayMs = 0;
  readonly schedule = (action: () => void, delayMs: number): (() => void) => {
    this.waiting = action;
    this.delayMs = delayMs;
    return () => (this.waiting = undefined);
  };
  tick(): boolean {
    const action = this.waiting;
    this.waiting = undefined;
    action?.();
    return action !== undefined;
  }
}

function paced(limits: Limits | ((written: number) => Limits)): { pace: Pace; clock: Clock; written: [string, number][] } {
  const written: [string, number][] = [];
  const clock = new Clock();
  const of = typeof limits === 'function' ? limits : () => limits;
  const pace = new Pace((text, leftOut) => written.push([text, leftOut]), of, clock.schedule);
  return { pace, clock, written };
}

describe('Pace', () => {
  const limits = { everyMs: 10, perTurn: 4, kept: 8 };

  it('writes at once after a pause', () => {
    const { pace, clock, written } = paced(limits);
    pace.push('a\n', 1);
    assert.deepEqual(written, [['a\n', 0]]);
    clock.tick();
    pace.push('b\n', 1);
    assert.deepEqual(written.at(-1), ['b\n', 0]);
  });

  it('gathers what comes within a turn, as much as a turn takes', () => {
    const { pace, clock, written } = paced(limits);
    for (const text of ['0\n', '1\n', '2\n', '3\n']) pace.push(text, 1);
    clock.tick();
    assert.equal(clock.delayMs, 10);
    clock.tick();
    assert.deepEqual(written, [['0\n', 0], ['1\n2\n', 0], ['3\n', 0]]);
  });

  it('leaves out the oldest of what waits, and counts its lines at their place', () => {
    const { pace, clock, written } = paced(limits);
    for (let line = 0; line < 10; line += 1) pace.push(`${line}\n`, 1);
    while (clock.tick());
    assert.deepEqual(written, [['0\n', 0], ['6\n7\n', 5], ['8\n9\n', 0]]);
  });

  it('loses no line without counting it, whatever comes', () => {
    const { pace, clock, written } = paced((total) => ({ everyMs: 1, perTurn: 30, kept: total < 100 ? 200 : 20 }));
    let pushed = 0;
    for (let block = 0; block < 500; block += 1) {
      const lines = (block * 7) % 5;
      pace.push('x\n'.repeat(lines), lines);
      pushed += lines;
      if (block % 3 === 0) clock.tick();
    }
    while (clock.tick());
    const shown = written.reduce((count, [text, leftOut]) => count + text.split('\n').length - 1 + leftOut, 0);
    assert.equal(shown, pushed);
  });

  it('lets a single block through that is larger than a turn', () => {
    const { pace, written } = paced(limits);
    pace.push('a very long line\n', 1);
    assert.deepEqual(written, [['a very long line\n', 0]]);
  });

  it('drains', async () => {
    const { pace, clock, written } = paced(limits);
    await pace.drain();
    for (const text of ['0\n', '1\n', '2\n', '3\n']) pace.push(text, 1);
    const drained = pace.drain().then(() => written.length);
    while (clock.tick());
    assert.equal(await drained, 3);
  });
});
