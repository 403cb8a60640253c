import { SingleBar } from "cli-progress";
import { counted } from "../../formats/counted.ts";
import type { RescoreEvents } from "../../server/offline-scoring/index.ts";

/** A bar over all parts on a terminal, a line for each part elsewhere; always on stderr. */
export function partsProgress(): RescoreEvents & { stop(): void } {
  const bar = new SingleBar({
    format: "{bar} {percentage}% | part {part} of {parts} | {readings} readings",
    stream: process.stderr,
    hideCursor: true,
  });
  let parts = 1;
  let done = 0;
  let readings = 0;
  const show = (part: number, share: number) => {
    if (process.stderr.isTTY) bar.update(Math.min(done + share, parts), { part, parts, readings });
  };
  return {
    started: (run, finished) => {
      parts = run.parts;
      done = finished;
      const before = finished === 0 ? "" : `, ${finished} of them finished before`;
      console.error(`run ${run.id}: ${counted(parts, "part")}${before}`);
      if (process.stderr.isTTY) bar.start(parts, done, { part: "", parts, readings });
    },
    progress: show,
    finished: (part, scored) => {
      done++;
      readings += scored;
      show(part, 0);
      if (!process.stderr.isTTY)
        console.error(`part ${part} is scored: ${counted(scored, "reading")} (${done} of ${parts})`);
    },
    stop: () => bar.stop(),
  };
}
