import * as vscode from 'vscode';
import type { RunHub } from './hub';
import type { Run } from './protocol';
import { clock, describe, formatDuration, runLabel, wentWrong } from './wording';

/** What stands in the status bar: idle, what runs and for how long, or how the last run went. */
export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('rdev.status', vscode.StatusBarAlignment.Left, 10);
  private readonly subscription: vscode.Disposable;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly hub: RunHub) {
    this.item.name = 'rdev-bridge';
    this.item.command = 'rdev.pickRun';
    this.subscription = hub.onDidChange(() => this.render());
    this.render();
    this.item.show();
  }

  dispose(): void {
    clearInterval(this.timer);
    this.subscription.dispose();
    this.item.dispose();
  }

  private render(): void {
    const active = this.hub.active();
    const [first] = active;
    if (first) {
      this.timer ??= setInterval(() => this.render(), 1000);
      const more = active.length > 1 ? ` +${active.length - 1}` : '';
      this.show(`$(sync~spin) ${shortLabel(first)} ${clock(this.hub.elapsedMs(first.runId))}${more}`, active.map(describeLine));
      return;
    }
    clearInterval(this.timer);
    this.timer = undefined;
    const { last } = this.hub;
    if (!last) {
      this.show('$(play) rdev', ['Nothing has run yet']);
    } else if (wentWrong(last)) {
      this.show(`$(error) ${shortLabel(last)}`, [describeLine(last)], new vscode.ThemeColor('statusBarItem.errorBackground'));
    } else {
      const icon = last.outcome === 'succeeded' ? 'check' : 'circle-slash';
      const time = last.durationMs === undefined ? '' : ` ${formatDuration(last.durationMs)}`;
      this.show(`$(${icon}) ${shortLabel(last)}${time}`, [describeLine(last)]);
    }
  }

  private show(text: string, tooltip: string[], background?: vscode.ThemeColor): void {
    this.item.text = text;
    this.item.tooltip = [...tooltip, '', 'Click to list, cancel or run again'].join('\n');
    this.item.backgroundColor = background;
    this.item.accessibilityInformation = { label: `rdev: ${tooltip.join(', ')}` };
  }
}

function shortLabel(run: Run): string {
  const label = runLabel(run);
  return label.length > 24 ? `${label.slice(0, 23)}…` : label;
}

function describeLine(run: Run): string {
  return `${runLabel(run)}: ${describe(run)}`;
}
