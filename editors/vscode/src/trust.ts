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
    const [question = ''] = message.split('\n', 1); // the file's text follows; VS Code has it a click away
    const choice = await vscode.window.showInformationMessage(question.replace(/:$/, '.'), manage);
    if (choice === manage) await vscode.commands.executeCommand('workbench.trust.manage');
    return null;
  });
}
