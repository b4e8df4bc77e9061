import type * as vscode from 'vscode';

/** Resolves with what `event` brings once `accept` says yes to it. */
export function once<T>(event: vscode.Event<T>, accept: (value: T) => boolean): Promise<T> {
  return new Promise((resolve) => {
    const subscription = event((value) => {
      if (accept(value)) {
        subscription.dispose();
        resolve(value);
      }
    });
  });
}

/** Asks again and again until `accept` says yes, and resolves with the answer. Rejects with the last one after `withinMs`. */
export async function eventually<T>(ask: () => T | PromiseLike<T>, accept: (value: T) => boolean, withinMs = 60_000): Promise<T> {
  const began = performance.now();
  for (;;) {
    const value = await ask();
    if (accept(value)) return value;
    if (performance.now() - began > withinMs) throw new Error(`after ${withinMs} ms still ${JSON.stringify(value)?.slice(0, 500)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
