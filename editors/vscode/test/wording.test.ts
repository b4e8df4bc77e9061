import * as assert from 'node:assert/strict';
import type { Run } from '../src/protocol';
import { clock, describe as describeRun, exitCodeOf, formatDuration, wentWrong } from '../src/wording';

const ended: Run = {
  runId: '1',
  command: 'true',
  folder: 'file:///w',
  project: 'p',
  state: 'finished',
  outcome: 'succeeded',
  exitCode: 0,
  durationMs: 1234,
  startedAt: '2026-01-01T00:00:00.000Z',
  lines: 0,
  logUri: 'file:///log',
};

describe('how a run is put into words', () => {
  const { exitCode: _, ...withoutCode } = ended;
  const cases: [string, Run, string, number, boolean][] = [
    ['success', ended, 'succeeded in 1.2 s', 0, false],
    ['failure', { ...ended, outcome: 'failed', exitCode: 7, durationMs: 80 }, 'exit code 7 in 80 ms', 7, true],
    ['problems', { ...ended, diagnostics: { errors: 1, warnings: 2 } }, 'succeeded in 1.2 s · 1 error, 2 warnings', 0, false],
    ['cancel', { ...withoutCode, outcome: 'cancelled' }, 'cancelled in 1.2 s', 130, false],
    ['timeout', { ...withoutCode, outcome: 'timedOut', durationMs: 61_000 }, 'timed out in 1:01 min', 124, true],
    ['a lost end', { ...withoutCode, outcome: 'lost', message: 'the server restarted' }, 'lost: the server restarted', 125, true],
    ['a stale run', { ...ended, stale: true }, 'succeeded in 1.2 s · out of date', 0, false],
    ['a superseded run', { ...withoutCode, outcome: 'superseded' }, 'superseded by a newer run', 130, false],
  ];
  for (const [name, run, words, code, wrong] of cases) {
    it(name, () => {
      assert.equal(describeRun(run), words);
      assert.equal(exitCodeOf(run), code);
      assert.equal(wentWrong(run), wrong);
    });
  }

  it('times', () => {
    assert.deepEqual([5, 59_940, 60_000].map(formatDuration), ['5 ms', '59.9 s', '1:00 min']);
    assert.deepEqual([0, 65_000, 3_725_000].map(clock), ['0:00', '1:05', '1:02:05']);
  });
});
