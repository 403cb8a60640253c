import { existsSync } from "node:fs";
import { getPriority } from "node:os";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";

test.skipIf(!existsSync("/proc/thread-self"))(
  "a thread that stands behind leaves the others where they are",
  async () => {
    const code = `
    const { parentPort } = require("node:worker_threads");
    import(${JSON.stringify(new URL("./thread-priority.ts", import.meta.url).href)}).then(({ lowerThreadPriority }) => {
      lowerThreadPriority(5);
      const tid = Number(require("node:fs").readlinkSync("/proc/thread-self").split("/").at(-1));
      parentPort.postMessage(require("node:os").getPriority(tid));
    });`;
    const before = getPriority(process.pid);
    const worker = new Worker(code, { eval: true });
    const nice = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    await worker.terminate();
    expect(nice).toBe(Math.min(19, before + 5));
    expect(getPriority(process.pid)).toBe(before);
  },
);
