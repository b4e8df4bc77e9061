/** The bridge's own JSON-RPC surface, as docs/protocol.md describes it. */
import { NotificationType, RequestType } from 'vscode-languageclient/node';

export type StreamName = 'stdout' | 'stderr';
export type RunState = 'queued' | 'running' | 'finished';
export type Outcome = 'succeeded' | 'failed' | 'cancelled' | 'superseded' | 'timedOut' | 'lost' | 'error';

export interface Task {
  id: string;
  name: string;
  /** A file URI. */
  folder: string;
  command: string;
  description?: string;
  group?: 'build' | 'test' | 'run';
  watching: boolean;
  trusted: boolean;
}

export interface Run {
  runId: string;
  task?: string;
  command: string;
  folder: string;
  project: string;
  state: RunState;
  outcome?: Outcome;
  exitCode?: number;
  startedAt: string;
  durationMs?: number;
  lines: number;
  diagnostics?: { errors: number; warnings: number };
  message?: string;
  logUri: string;
  parentRunId?: string;
}

export interface Trigger {
  kind: 'request' | 'save' | 'change' | 'dependency' | 'attach';
  files?: string[];
}

export interface Chunk {
  stream: StreamName;
  lines: string[];
}

export interface RunStarted {
  run: Run;
  trigger: Trigger;
}
export interface Output {
  runId: string;
  seq: number;
  chunks: Chunk[];
}
export interface OutputGap {
  runId: string;
  seq: number;
  missing: number | null;
}
export interface RunFinished {
  run: Run;
}
export interface Connection {
  server: string;
  state: 'connected' | 'reconnecting' | 'resumed' | 'offline';
  attempt?: number;
  retryInMs?: number;
  message?: string;
}
export interface RunResult {
  runId: string;
  disposition: 'started' | 'queued' | 'ignored';
}

export const tasksRequest = new RequestType<object, { tasks: Task[] }, void>('rdev/tasks');
export const runRequest = new RequestType<{ task: string; arguments?: string[] }, RunResult, void>('rdev/run');
export const cancelRequest = new RequestType<{ runId: string }, { accepted: boolean }, void>('rdev/cancel');
export const runsRequest = new RequestType<object, { runs: Run[] }, void>('rdev/runs');
export const attachRequest = new RequestType<{ runId: string; seq?: number }, { run: Run; seq: number }, void>('rdev/attach');
export const watchRequest = new RequestType<{ task: string; enabled: boolean }, { watching: boolean }, void>('rdev/watch');

export const runStarted = new NotificationType<RunStarted>('rdev/runStarted');
export const output = new NotificationType<Output>('rdev/output');
export const outputGap = new NotificationType<OutputGap>('rdev/outputGap');
export const runFinished = new NotificationType<RunFinished>('rdev/runFinished');
export const connection = new NotificationType<Connection>('rdev/connection');
export const tasksChanged = new NotificationType<object>('rdev/tasksChanged');

export function runLabel(run: Run): string {
  return run.task ?? run.command;
}

/** One line that says how a run stands, as a person would put it. */
export function describe(run: Run): string {
  if (run.state !== 'finished') return run.state;
  const time = run.durationMs === undefined ? '' : ` in ${formatDuration(run.durationMs)}`;
  switch (run.outcome) {
    case 'succeeded':
      return `succeeded${time}`;
    case 'failed':
      return `exit code ${run.exitCode ?? 'unknown'}${time}`;
    case 'timedOut':
      return `timed out${time}`;
    default:
      return `${run.outcome ?? 'finished'}${run.message ? `: ${run.message}` : time}`;
  }
}

export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')} min`;
}
