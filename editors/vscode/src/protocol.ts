/** The bridge's own JSON-RPC surface, as docs/protocol.md describes it. */
import { NotificationType, RequestType } from 'vscode-languageclient/node';

export type StreamName = 'stdout' | 'stderr';
export type RunState = 'queued' | 'running' | 'finished';
export type Outcome = 'succeeded' | 'failed' | 'cancelled' | 'superseded' | 'timedOut' | 'lost' | 'error';

export type OnClientExit = 'cancel' | 'detach';

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
  /** What its runs do when their editor goes; `cancel` where it is not said. */
  onClientExit?: OnClientExit;
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
  /** A file that its task watches has changed since. */
  stale?: boolean;
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
export interface RunParams {
  task: string;
  arguments?: string[];
  /** The file that `${file}` means. */
  file?: string;
  onClientExit?: OnClientExit;
}
export interface RunResult {
  /** Where the request was ignored, the run in its way. */
  runId: string;
  disposition: 'started' | 'queued' | 'ignored';
}

export const tasksRequest = new RequestType<object, { tasks: Task[] }, void>('rdev/tasks');
export const runRequest = new RequestType<RunParams, RunResult, void>('rdev/run');
export const cancelRequest = new RequestType<{ runId: string }, { accepted: boolean }, void>('rdev/cancel');
export const runsRequest = new RequestType<object, { runs: Run[] }, void>('rdev/runs');
export const attachRequest = new RequestType<{ runId: string; seq?: number }, { run: Run; seq: number }, void>('rdev/attach');
export const watchRequest = new RequestType<{ task: string; enabled: boolean }, { watching: boolean }, void>('rdev/watch');
export const trustRequest = new RequestType<{ editor: boolean }, { trusted: boolean }, void>('rdev/trust');

export const runStarted = new NotificationType<RunStarted>('rdev/runStarted');
export const output = new NotificationType<Output>('rdev/output');
export const outputGap = new NotificationType<OutputGap>('rdev/outputGap');
export const runFinished = new NotificationType<RunFinished>('rdev/runFinished');
export const connection = new NotificationType<Connection>('rdev/connection');
export const tasksChanged = new NotificationType<object>('rdev/tasksChanged');
export const runStale = new NotificationType<{ run: Run }>('rdev/runStale');
