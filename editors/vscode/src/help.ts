import * as vscode from 'vscode';
import { log } from './log';
import { ServerNotFound } from './server';

/** Says why the bridge does not run, and offers what to do about it. True where it should be tried again. */
export async function offerHelp(error: unknown): Promise<boolean> {
  const reason = error instanceof Error ? error.message : String(error);
  log.error(reason);
  const again = 'Try Again';
  const choices: Record<string, () => unknown> = {
    'How to Install': () => vscode.commands.executeCommand('workbench.action.openWalkthrough', 'rdev-bridge.rdev-bridge#start'),
    'Open Settings': () => vscode.commands.executeCommand('workbench.action.openSettings', 'rdev.server.command'),
    'Show Log': () => log.show(),
  };
  const message = error instanceof ServerNotFound ? notFound() : `rdev-bridge does not run: ${reason}`;
  const choice = await vscode.window.showErrorMessage(message, ...Object.keys(choices), again);
  if (choice !== undefined) await choices[choice]?.();
  return choice === again;
}

function notFound(): string {
  return vscode.workspace.isTrusted
    ? 'rdev-bridge was found neither in the selected Python environment nor on PATH.'
    : 'rdev-bridge was not found on PATH. Once the workspace is trusted, its Python environment is looked at too.';
}
