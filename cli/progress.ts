import { SingleBar } from "cli-progress";
import type { Counts, Progress } from "../client/index.ts";

/** Without a terminal, progress is a line this often. */
const LINE_EVERY_MS = 5_000;

export interface ProgressView {
  update(progress: Progress): void;
  say(text: string): void;
  stop(): void;
}

/** A bar on a terminal, a line now and then elsewhere; always on stderr. */
export function showProgress(total: number): ProgressView {
  const started = Date.now();
  let last: Progress | undefined;
  const rate = () => Math.round(((last?.settled ?? 0) * 1000) / Math.max(1, Date.now() - started));
  if (!process.stderr.isTTY) {
    const line = () =>
      console.error(`${last?.settled ?? 0}/${total} settled, ${last?.durable ?? 0} durable, ${rate()}/s`);
    const timer = setInterval(line, LINE_EVERY_MS);
    return {
      update: (progress) => {
        last = progress;
      },
      say: (text) => console.error(text),
      stop: () => clearInterval(timer),
    };
  }
  const bar = new SingleBar({
    format: "{bar} {percentage}% | {value}/{total} settled | {durable} durable | {rate}/s",
    stream: process.stderr,
    hideCursor: true,
  });
  bar.start(total, 0, { durable: 0, rate: 0 });
  return {
    update: (progress) => {
      last = progress;
      bar.update(progress.settled, { durable: progress.durable, rate: rate() });
    },
    say: (text) => process.stderr.write(`\r\x1b[K${text}\n`),
    stop: () => bar.stop(),
  };
}

/** "4032 sent = 4030 accepted + 1 duplicate + 0 conflicting + 1 rejected (0 late)". */
export function countsLine(sent: number, counts: Counts): string {
  const { accepted, duplicate, conflicting, rejected, late } = counts;
  return `${sent} sent = ${accepted} accepted + ${duplicate} duplicate + ${conflicting} conflicting + ${rejected} rejected (${late} late)`;
}
