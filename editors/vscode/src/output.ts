import * as vscode from 'vscode';
import type { ShowOutput } from './config';
import type { RunSink } from './hub';
import * as protocol from './protocol';

const flushEveryMs = 50;
/** What one channel is given per flush: 5 MB/s, which the output view keeps up with. The log file has all of it. */
const charactersPerFlush = 256 * 1024;
// eslint-disable-next-line no-control-regex
const colours = /\x1b\[[0-9;:]*m/g;

/** One output channel a task, for runs that no terminal asked for (on save, on change, from a lens in another window). */
export class OutputChannels implements vscode.Disposable {
  private readonly channels = new Map<string, vscode.OutputChannel>();

  constructor(private readonly show: () => ShowOutput) {}

  sinkFor(run: protocol.Run, trigger: protocol.Trigger): RunSink {
    const name = `rdev: ${protocol.runLabel(run).slice(0, 60)}`;
    let channel = this.channels.get(name);
    if (!channel) {
      channel = vscode.window.createOutputChannel(name);
      this.channels.set(name, channel);
    }
    return new ChannelSink(channel, run, trigger, this.show);
  }

  dispose(): void {
    for (const channel of this.channels.values()) channel.dispose();
  }
}

class ChannelSink implements RunSink {
  private waiting: string[] = [];
  private size = 0;
  private leftOut = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly channel: vscode.OutputChannel,
    private readonly run: protocol.Run,
    private readonly trigger: protocol.Trigger,
    private readonly show: () => ShowOutput,
  ) {}

  started(): void {
    const files = this.trigger.files ?? [];
    const because = files.length === 0 ? '' : ` (${files.length === 1 ? baseName(files[0]) : `${files.length} files`} changed)`;
    this.channel.clear();
    this.channel.appendLine(`> ${this.run.command}${because}`);
    if (this.show() === 'always') this.channel.show(true);
  }

  output(chunks: protocol.Chunk[]): void {
    for (const { lines } of chunks) {
      for (const line of lines) {
        if (this.size >= charactersPerFlush) {
          this.leftOut += 1;
          continue;
        }
        this.waiting.push(line.replace(colours, ''));
        this.size += line.length + 1;
      }
    }
    this.timer ??= setTimeout(() => this.flush(), flushEveryMs);
  }

  note(text: string): void {
    this.flush();
    this.channel.appendLine(`> ${text}`);
  }

  finished(run: protocol.Run): void {
    this.note(protocol.describe(run));
    const failed = run.outcome !== 'succeeded' && run.outcome !== 'cancelled' && run.outcome !== 'superseded';
    if (failed && this.show() === 'onFailure') this.channel.show(true);
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.waiting.length > 0) this.channel.append(this.waiting.join('\n') + '\n');
    if (this.leftOut > 0) {
      const log = vscode.Uri.parse(this.run.logUri).fsPath;
      this.channel.appendLine(`> ${this.leftOut} lines are not shown here; all of them are in ${log}`);
    }
    this.waiting = [];
    this.size = 0;
    this.leftOut = 0;
  }
}

function baseName(uri: string | undefined): string {
  return uri === undefined ? '' : decodeURIComponent(uri.slice(uri.lastIndexOf('/') + 1));
}
