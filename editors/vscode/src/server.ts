import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { log } from './log';

/** An argv that starts the bridge; `lsp` is still to be added. */
export type ServerCommand = readonly [string, ...string[]];

/** The bridge could not be found; the message says where it was looked for. */
export class ServerNotFound extends Error {}

/**
 * Looks in this order: the setting, the selected Python environment, PATH.
 *
 * The environment may lie in the workspace, so it is only asked for where the workspace is trusted.
 */
export async function findServer(configured: readonly string[]): Promise<ServerCommand> {
  const [program, ...rest] = configured;
  if (program !== undefined) return [program, ...rest];
  const directories = [...(vscode.workspace.isTrusted ? await pythonEnvironment() : []), ...searchPath(process.env['PATH'])];
  for (const directory of directories) {
    const candidate = path.join(directory, 'rdev-bridge');
    if (await isExecutable(candidate)) return [candidate];
  }
  throw new ServerNotFound(`rdev-bridge was not found. Looked in: ${directories.join(', ')}`);
}

/** The version that `command` answers with; rejects when it does not run. */
export function serverVersion([program, ...rest]: ServerCommand): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, [...rest, '--version'], { timeout: 20_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(stderr.trim() || error.message));
      else resolve(stdout.trim());
    });
  });
}

/** The folders of PATH; a relative one would mean the folder that happens to be open. */
export function searchPath(variable: string | undefined): string[] {
  return (variable ?? '').split(path.delimiter).filter((entry) => path.isAbsolute(entry));
}

/** What we use of the Python extension's published API. */
interface PythonExtension {
  environments?: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { path: string };
    resolveEnvironment(environment: { path: string }): Promise<{ executable: { uri?: vscode.Uri } } | undefined>;
    onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

async function pythonExtension(): Promise<PythonExtension['environments']> {
  try {
    return (await vscode.extensions.getExtension<PythonExtension>('ms-python.python')?.activate())?.environments;
  } catch (error) {
    log.warn(`The Python extension did not start: ${String(error)}`);
    return undefined;
  }
}

async function pythonEnvironment(): Promise<string[]> {
  const environments = await pythonExtension();
  if (!environments) return [];
  try {
    const active = environments.getActiveEnvironmentPath(vscode.workspace.workspaceFolders?.[0]?.uri);
    const interpreter = (await environments.resolveEnvironment(active))?.executable.uri?.fsPath;
    return interpreter === undefined ? [] : [path.dirname(interpreter)];
  } catch (error) {
    log.warn(`The Python extension did not say which environment is selected: ${String(error)}`);
    return [];
  }
}

/** Calls `changed` when another Python environment is selected. */
export async function onPythonEnvironment(changed: () => void): Promise<vscode.Disposable | undefined> {
  return (await pythonExtension())?.onDidChangeActiveEnvironmentPath(changed);
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
