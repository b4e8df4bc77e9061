import * as vscode from 'vscode';
import type { RunHub } from './hub';
import { describe, formatDuration, runLabel, type Run } from './protocol';

/** What stands in the status bar: idle, what runs and for how long, or what failed last. */
export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('rdev.status', vscode.StatusBarAlignment.Left, 10);
  private readonly subscription: vscode.Disposable;
  private clock: NodeJS.Timeout | undefined;

  constructor(private readonly hub: RunHub) {
    this.item.name = 'rdev-bridge';
    this.item.command = 'rdev.pickRun';
    this.subscription = hub.onDidChange(() => this.render());
    this.render();
    this.item.show();
  }

  dispose(): void {
    clearInterval(this.clock);
    this.subscription.dispose();
    this.item.dispose();
  }

  private render(): void {
    const active = this.hub.active();
    const [first] = active;
    if (first) {
      this.clock ??= setInterval(() => this.render(), 1000);
      const seconds = Math.floor(this.hub.elapsedMs(first.runId) / 1000);
      const more = active.length > 1 ? ` +${active.length - 1}` : '';
      this.show(`$(sync~spin) ${shortLabel(first)} ${clockTime(seconds)}${more}`, active.map(describeLine));
      return;
    }
    clearInterval(this.clock);
    this.clock = undefined;
    const last = this.hub.list()[0];
    const failed = last && last.outcome !== 'succeeded' && last.outcome !== 'cancelled' && last.outcome !== 'superseded';
    if (last && failed) {
      this.show(`$(error) ${shortLabel(last)}`, [describeLine(last)], new vscode.ThemeColor('statusBarItem.errorBackground'));
    } else {
      const time = last?.durationMs === undefined ? '' : ` ${formatDuration(last.durationMs)}`;
      this.show(last ? `$(check) ${shortLabel(last)}${time}` : '$(play) rdev', last ? [describeLine(last)] : ['Nothing has run yet']);
    }
  }

  private show(text: string, tooltip: string[], background?: vscode.ThemeColor): void {
    this.item.text = text;
    this.item.tooltip = [...tooltip, '', 'Click for all runs'].join('\n');
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

function clockTime(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
