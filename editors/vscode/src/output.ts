import * as vscode from 'vscode';
import type { ShowOutput } from './config';
import type { RunSink } from './hub';
import { Pace, type Limits } from './pace';
import * as protocol from './protocol';
import { describe, runLabel, wentWrong } from './wording';

const KiB = 1024;
const colours = /\x1b\[[0-9;:]*m/g;

/** The first MiB of a run as fast as the view takes it; of a longer one what is newest, once a second. */
const limits = (written: number): Limits =>
  written < KiB * KiB
    ? { everyMs: 50, perTurn: 64 * KiB, kept: KiB * KiB }
    : { everyMs: 1000, perTurn: 64 * KiB, kept: 64 * KiB };

/** One output channel a task, for runs that no terminal asked for: on save, on change, by another window. */
export class OutputChannels implements vscode.Disposable {
  private readonly channels = new Map<string, vscode.OutputChannel>();

  constructor(private readonly show: () => ShowOutput) {}

  sinkFor(run: protocol.Run, trigger: protocol.Trigger): RunSink {
    const name = `rdev: ${runLabel(run).slice(0, 60)}`;
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
  private readonly pace = new Pace((text, leftOut) => this.append(text, leftOut), limits);

  constructor(
    private readonly channel: vscode.OutputChannel,
    private readonly run: protocol.Run,
    private readonly trigger: protocol.Trigger,
    private readonly show: () => ShowOutput,
  ) {}

  started(): void {
    const files = this.trigger.files ?? [];
    const because = files.length === 0 ? '' : ` (${files.length === 1 ? baseName(files[0]!) : `${files.length} files`} changed)`;
    this.channel.clear();
    this.channel.appendLine(`> ${this.run.command}${because}`);
    if (this.show() === 'always') this.reveal();
  }

  output(chunks: protocol.Chunk[]): void {
    for (const { lines } of chunks) this.pace.push(lines.join('\n').replace(colours, '') + '\n', lines.length);
  }

  note(text: string): void {
    this.pace.push(`> ${text}\n`, 0);
  }

  finished(run: protocol.Run): void {
    this.note(describe(run));
    if (wentWrong(run) && this.show() === 'onFailure') this.reveal();
  }

  lost(reason: string): void {
    this.note(reason);
  }

  reveal(): void {
    this.channel.show(true);
  }

  private append(text: string, leftOut: number): void {
    const log = vscode.Uri.parse(this.run.logUri).fsPath;
    this.channel.append(leftOut > 0 ? `> ${leftOut} lines are not shown here; all of them are in ${log}\n${text}` : text);
  }
}

function baseName(uri: string): string {
  return decodeURIComponent(uri.slice(uri.lastIndexOf('/') + 1));
}
