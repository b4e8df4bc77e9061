import type { Outcome, Run } from './protocol';

export function runLabel(run: Run): string {
  return run.task ?? run.command;
}

/** One line that says how a run stands, as a person would put it. */
export function describe(run: Run): string {
  if (run.state !== 'finished') return run.state;
  return [ending(run), problems(run), run.stale ? 'out of date' : ''].filter(Boolean).join(' · ');
}

function ending(run: Run): string {
  const time = run.durationMs === undefined ? '' : ` in ${formatDuration(run.durationMs)}`;
  switch (run.outcome) {
    case 'succeeded':
      return `succeeded${time}`;
    case 'failed':
      return `exit code ${run.exitCode ?? 'unknown'}${time}`;
    case 'timedOut':
      return `timed out${time}`;
    case 'superseded':
      return 'superseded by a newer run';
    default:
      return `${run.outcome ?? 'finished'}${run.message ? `: ${run.message}` : time}`;
  }
}

function problems(run: Run): string {
  const { errors = 0, warnings = 0 } = run.diagnostics ?? {};
  return [counted(errors, 'error'), counted(warnings, 'warning')].filter(Boolean).join(', ');
}

function counted(count: number, what: string): string {
  return count === 0 ? '' : `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** Whether a person should be told: it went wrong, and nobody asked for its end. */
export function wentWrong(run: Run): boolean {
  return run.outcome !== undefined && !['succeeded', 'cancelled', 'superseded'].includes(run.outcome);
}

const exitCodes: Partial<Record<Outcome, number>> = { succeeded: 0, cancelled: 130, superseded: 130, timedOut: 124 };
/** The bridge or the server failed: what `rdev-bridge run` exits with. */
export const bridgeFailed = 125;

/** The exit code of a run's terminal, as `rdev-bridge run` would have it. */
export function exitCodeOf(run: Run): number {
  return (run.outcome && exitCodes[run.outcome]) ?? run.exitCode ?? bridgeFailed;
}

export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${clock(milliseconds)} min`;
}

/** `1:05`, or `1:02:05` from an hour on. */
export function clock(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  const rest = `${minutes % 60}:${two(seconds % 60)}`;
  return minutes < 60 ? rest : `${Math.floor(minutes / 60)}:${rest.padStart(5, '0')}`;
}
