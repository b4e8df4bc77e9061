import * as vscode from 'vscode';
import { ShowMessageRequest, type LanguageClient } from 'vscode-languageclient/node';

/**
 * In Restricted Mode the bridge's one question is whether to trust the workspace. VS Code has an answer of its own for
 * that, so the person is sent there; the bridge hears of it when trust is granted.
 */
export function answerInVsCode(client: LanguageClient): void {
  if (vscode.workspace.isTrusted) return;
  client.onRequest(ShowMessageRequest.type, async ({ message }) => {
    const manage = 'Manage Workspace Trust';
    const choice = await vscode.window.showInformationMessage(message, manage);
    if (choice === manage) await vscode.commands.executeCommand('workbench.trust.manage');
    return null;
  });
}
