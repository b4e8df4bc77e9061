import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { log } from './log';

/** An argv that starts the bridge; `lsp` is still to be added. */
export type ServerCommand = readonly [string, ...string[]];

/** The bridge could not be found; the message says where it was looked for. */
export class ServerNotFound extends Error {}

/** Looks in this order: the setting, the selected Python environment, PATH. */
export async function findServer(configured: readonly string[]): Promise<ServerCommand> {
  const [program, ...rest] = configured;
  if (program !== undefined) return [program, ...rest];
  const looked: string[] = [];
  for (const directory of [...(await pythonEnvironment()), ...pathDirectories()]) {
    const candidate = path.join(directory, 'rdev-bridge');
    if (await isExecutable(candidate)) return [candidate];
    looked.push(directory);
  }
  throw new ServerNotFound(`rdev-bridge was not found. Looked in: ${looked.join(', ')}`);
}

/** The version that `command` answers with; rejects when it does not run. */
export function serverVersion(command: ServerCommand): Promise<string> {
  const [program, ...rest] = command;
  return new Promise((resolve, reject) => {
    execFile(program, [...rest, '--version'], { timeout: 20_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(stderr.trim() || error.message));
      else resolve(stdout.trim());
    });
  });
}

interface PythonExtension {
  environments?: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { path: string };
    resolveEnvironment(environment: { path: string }): Promise<{ executable: { uri?: vscode.Uri } } | undefined>;
  };
}

async function pythonEnvironment(): Promise<string[]> {
  const extension = vscode.extensions.getExtension<PythonExtension>('ms-python.python');
  if (!extension) return [];
  try {
    const { environments } = await extension.activate();
    const active = environments?.getActiveEnvironmentPath(vscode.workspace.workspaceFolders?.[0]?.uri);
    const resolved = active && (await environments?.resolveEnvironment(active));
    const interpreter = resolved?.executable.uri?.fsPath;
    return interpreter === undefined ? [] : [path.dirname(interpreter)];
  } catch (error) {
    log.warn(`The Python extension did not say which environment is selected: ${String(error)}`);
    return [];
  }
}

function pathDirectories(): string[] {
  return (process.env['PATH'] ?? '').split(path.delimiter).filter((entry) => path.isAbsolute(entry));
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
