import * as vscode from 'vscode';
import type { RunHub } from './hub';
import type { Run } from './protocol';
import { describe, runLabel } from './wording';

const refreshEveryMs = 3_000;

const icons: Record<string, vscode.ThemeIcon> = {
  queued: new vscode.ThemeIcon('clock'),
  running: new vscode.ThemeIcon('sync~spin'),
  succeeded: new vscode.ThemeIcon('pass', new vscode.ThemeColor('testing.iconPassed')),
  failed: new vscode.ThemeIcon('error', new vscode.ThemeColor('testing.iconFailed')),
  cancelled: new vscode.ThemeIcon('circle-slash'),
  superseded: new vscode.ThemeIcon('circle-slash'),
};
const otherEnd = new vscode.ThemeIcon('warning');

export function iconOf(run: Run): vscode.ThemeIcon {
  return icons[run.outcome ?? run.state] ?? otherEnd;
}

/** The view *rdev Runs*: newest first, with output, cancel and log at each. */
export class RunsView implements vscode.TreeDataProvider<Run>, vscode.Disposable {
  readonly onDidChangeTreeData: vscode.Event<undefined>;
  private readonly refreshed = new vscode.EventEmitter<undefined>();
  private readonly view: vscode.TreeView<Run>;
  private readonly subscriptions: vscode.Disposable[];
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly hub: RunHub,
    private readonly refresh: () => Promise<void>,
  ) {
    this.onDidChangeTreeData = this.refreshed.event;
    this.view = vscode.window.createTreeView('rdev.runs', { treeDataProvider: this });
    this.subscriptions = [
      this.view,
      hub.onDidChange(() => this.refreshed.fire(undefined)),
      this.view.onDidChangeVisibility(({ visible }) => this.follow(visible)),
    ];
    this.follow(this.view.visible);
  }

  getChildren(parent?: Run): Run[] {
    const runs = this.hub.list();
    if (parent) return runs.filter(({ parentRunId }) => parentRunId === parent.runId);
    const known = new Set(runs.map(({ runId }) => runId));
    return runs.filter(({ parentRunId }) => parentRunId === undefined || !known.has(parentRunId));
  }

  getTreeItem(run: Run): vscode.TreeItem {
    const hasChildren = this.getChildren(run).length > 0;
    const state = hasChildren ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None;
    const item = new vscode.TreeItem(runLabel(run), state);
    item.id = run.runId;
    item.description = describe(run);
    item.tooltip = `${run.command}\n${describe(run)}\n${run.lines} lines · ${new Date(run.startedAt).toLocaleString()}`;
    item.iconPath = iconOf(run);
    item.contextValue = run.state === 'finished' ? 'finished' : 'active';
    item.command = { command: 'rdev.showRun', title: 'Show Output', arguments: [run] };
    return item;
  }

  dispose(): void {
    this.follow(false);
    for (const subscription of this.subscriptions) subscription.dispose();
    this.refreshed.dispose();
  }

  /** The runs of other editors are asked for only while somebody looks. */
  private follow(visible: boolean): void {
    clearInterval(this.timer);
    if (!visible) return;
    const ask = (): void => void this.refresh().catch(() => undefined);
    ask();
    this.timer = setInterval(ask, refreshEveryMs);
  }
}
