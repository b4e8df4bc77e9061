import * as vscode from 'vscode';
import type { RunHub } from './hub';
import { describe, runLabel, type Run } from './protocol';

const icons: Record<string, vscode.ThemeIcon> = {
  queued: new vscode.ThemeIcon('clock'),
  running: new vscode.ThemeIcon('sync~spin'),
  succeeded: new vscode.ThemeIcon('pass', new vscode.ThemeColor('testing.iconPassed')),
  failed: new vscode.ThemeIcon('error', new vscode.ThemeColor('testing.iconFailed')),
  cancelled: new vscode.ThemeIcon('circle-slash'),
  superseded: new vscode.ThemeIcon('circle-slash'),
};
const otherEnd = new vscode.ThemeIcon('warning');

/** The view *rdev Runs*: newest first, with attach, cancel and log at each. */
export class RunsView implements vscode.TreeDataProvider<Run>, vscode.Disposable {
  readonly onDidChangeTreeData: vscode.Event<Run | undefined>;
  private readonly refreshed = new vscode.EventEmitter<undefined>();
  private readonly view: vscode.TreeView<Run>;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly hub: RunHub,
    refresh: () => Promise<void>,
  ) {
    this.onDidChangeTreeData = this.refreshed.event;
    this.view = vscode.window.createTreeView('rdev.runs', { treeDataProvider: this });
    this.subscriptions = [
      this.view,
      hub.onDidChange(() => this.refreshed.fire(undefined)),
      this.view.onDidChangeVisibility(({ visible }) => {
        if (visible) void refresh(); // other editors' runs are only asked for when somebody looks
      }),
    ];
  }

  getChildren(parent?: Run): Run[] {
    const runs = this.hub.list();
    const known = new Set(runs.map(({ runId }) => runId));
    return runs.filter(({ parentRunId }) =>
      parent ? parentRunId === parent.runId : parentRunId === undefined || !known.has(parentRunId),
    );
  }

  getTreeItem(run: Run): vscode.TreeItem {
    const hasChildren = this.getChildren(run).length > 0;
    const state = hasChildren ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None;
    const item = new vscode.TreeItem(runLabel(run), state);
    item.id = run.runId;
    item.description = describe(run);
    item.tooltip = `${run.command}\n${describe(run)}\n${run.lines} lines · ${new Date(run.startedAt).toLocaleString()}`;
    item.iconPath = icons[run.outcome ?? run.state] ?? otherEnd;
    item.contextValue = run.state === 'finished' ? 'finished' : 'active';
    return item;
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.refreshed.dispose();
  }
}

interface RunItem extends vscode.QuickPickItem {
  run: Run;
}

/** The same list as a quick pick, for the status bar and the keyboard. */
export async function pickRun(runs: Run[], placeHolder: string): Promise<Run | undefined> {
  const items = runs.map((run): RunItem => {
    const icon = icons[run.outcome ?? run.state] ?? otherEnd;
    return { label: `$(${icon.id}) ${runLabel(run)}`, description: describe(run), detail: run.command, run };
  });
  return (await vscode.window.showQuickPick(items, { placeHolder, matchOnDetail: true }))?.run;
}
