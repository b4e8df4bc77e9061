/** What a view is given: at most `perTurn` characters each `everyMs`; of what waits, the newest `kept` characters stay. */
export interface Limits {
  everyMs: number;
  perTurn: number;
  kept: number;
}

interface Block {
  text: string;
  lines: number;
}

/** Starts a timer; what it returns stops it. */
export type Schedule = (action: () => void, delayMs: number) => () => void;

const realTime: Schedule = (action, delayMs) => {
  const timer = setTimeout(action, delayMs);
  return () => clearTimeout(timer);
};

/**
 * Keeps a flood from freezing what shows it.
 *
 * The first text after a pause goes out at once. What comes faster than the limits waits; where too much waits, the
 * oldest of it is left out, whole blocks at a time, and `write` hears how many lines that were, at their place.
 */
export class Pace {
  private waiting: Block[] = [];
  private size = 0;
  private leftOut = 0;
  private written = 0;
  private stopTimer: (() => void) | undefined;
  private drained: (() => void)[] = [];

  constructor(
    private readonly write: (text: string, leftOutBefore: number) => void,
    private readonly limits: (writtenSoFar: number) => Limits,
    private readonly schedule: Schedule = realTime,
  ) {}

  push(text: string, lines: number): void {
    this.waiting.push({ text, lines });
    this.size += text.length;
    if (this.stopTimer) this.shed();
    else this.turn();
  }

  /** Resolves once all that was pushed has been written or left out. */
  drain(): Promise<void> {
    return this.waiting.length === 0 ? Promise.resolve() : new Promise((resolve) => this.drained.push(resolve));
  }

  dispose(): void {
    this.stopTimer?.();
    this.waiting = [];
    this.size = 0;
    this.settle();
  }

  private shed(): void {
    const { kept } = this.limits(this.written);
    let count = 0;
    while (this.size > kept && count < this.waiting.length - 1) {
      const { text, lines } = this.waiting[count++]!;
      this.size -= text.length;
      this.leftOut += lines;
    }
    if (count > 0) this.waiting.splice(0, count);
  }

  private turn(): void {
    this.stopTimer = undefined;
    if (this.waiting.length === 0) {
      this.settle();
      return;
    }
    const { everyMs, perTurn } = this.limits(this.written);
    const texts: string[] = [];
    let size = 0;
    while (this.waiting.length > texts.length && (size === 0 || size + this.waiting[texts.length]!.text.length <= perTurn)) {
      const { text } = this.waiting[texts.length]!;
      texts.push(text);
      size += text.length;
    }
    this.waiting.splice(0, texts.length);
    this.size -= size;
    this.written += size;
    const leftOut = this.leftOut;
    this.leftOut = 0;
    this.write(texts.join(''), leftOut);
    this.stopTimer = this.schedule(() => this.turn(), everyMs);
    if (this.waiting.length === 0) this.settle();
  }

  private settle(): void {
    for (const resolve of this.drained.splice(0)) resolve();
  }
}
