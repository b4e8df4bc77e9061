import * as vscode from 'vscode';
import type { Run } from './protocol';
import { iconOf } from './runs';
import { describe, runLabel } from './wording';

/** What can be done with a run; `show` is what Enter does. */
export interface RunActions {
  show(run: Run): unknown;
  cancel(run: Run): unknown;
  rerun(run: Run): unknown;
  openLog(run: Run): unknown;
}

type ActionName = keyof RunActions;
interface ActionButton extends vscode.QuickInputButton {
  action: ActionName;
}
interface RunItem extends vscode.QuickPickItem {
  run: Run;
}

const button = (action: ActionName, icon: string, tooltip: string): ActionButton => ({
  action,
  iconPath: new vscode.ThemeIcon(icon),
  tooltip,
});
const forActive = [button('cancel', 'debug-stop', 'Cancel'), button('openLog', 'output', 'Open its log')];
const forFinished = [button('rerun', 'refresh', 'Run again'), button('openLog', 'output', 'Open its log')];

/** The runs as a quick pick: Enter shows the output, buttons cancel, run again and open the log. */
export function pickRun(runs: Run[], actions: RunActions, placeholder: string, onEnter: ActionName = 'show'): void {
  const pick = vscode.window.createQuickPick<RunItem>();
  const act = (action: ActionName, run: Run): void => {
    pick.hide();
    void actions[action](run);
  };
  pick.placeholder = placeholder;
  pick.matchOnDetail = true;
  pick.items = runs.map((run): RunItem => ({
    run,
    label: `$(${iconOf(run).id}) ${runLabel(run)}`,
    description: describe(run),
    detail: run.task === undefined ? '' : run.command,
    buttons: run.state === 'finished' ? forFinished : forActive,
  }));
  pick.onDidAccept(() => pick.selectedItems[0] && act(onEnter, pick.selectedItems[0].run));
  pick.onDidTriggerItemButton(({ item, button }) => act((button as ActionButton).action, item.run));
  pick.onDidHide(() => pick.dispose());
  pick.show();
}
