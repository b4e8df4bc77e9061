import * as vscode from 'vscode';

export type ShowOutput = 'never' | 'onFailure' | 'always';

export interface Config {
  serverCommand: string[];
  runOnSave: boolean;
  showOutput: ShowOutput;
}

const section = 'rdev';

export function readConfig(): Config {
  const settings = vscode.workspace.getConfiguration(section);
  return {
    serverCommand: settings.get<string[]>('server.command', []),
    runOnSave: settings.get<boolean>('runOnSave', true),
    showOutput: settings.get<ShowOutput>('output.show', 'never'),
  };
}

/** Turns run on save on or off where the person would look for it: the workspace, or the user where there is none. */
export async function writeRunOnSave(enabled: boolean): Promise<void> {
  const target = vscode.workspace.workspaceFolders
    ? vscode.ConfigurationTarget.Workspace
    : vscode.ConfigurationTarget.Global;
  await vscode.workspace.getConfiguration(section).update('runOnSave', enabled, target);
}

/** Calls `apply` when one of the named settings (`server.command`) changes. */
export function onChange(keys: string[], apply: () => void): vscode.Disposable {
  return vscode.workspace.onDidChangeConfiguration((event) => {
    if (keys.some((key) => event.affectsConfiguration(`${section}.${key}`))) apply();
  });
}
