import * as vscode from 'vscode';

/** What the extension itself has to say; the bridge's own log goes to the language client's channel. */
export const log: vscode.LogOutputChannel = vscode.window.createOutputChannel('rdev-bridge', { log: true });
