/** Whether pages that stay open grow. */
import { setTimeout as delay } from "node:timers/promises";
import type { CDPSession } from "playwright-core";
import { createDeviceClient } from "../client/index.ts";

/** Looks at the heap. */
const PER_MINUTE = 2;
/** What is loaded and compiled in the first minute is no leak. */
const WARM_MINUTES = 1;
/** Readings between two jumps of the sensor that alerts. */
const JUMP_EVERY = 100;

interface Sample {
  readonly minute: number;
  readonly mb: number;
}

export interface Growth {
  /** Megabytes a minute. */
  readonly rise: number;
  readonly first: number;
  readonly last: number;
}

/** Of each page, by its name. At least two minutes: two points make a line, and say nothing. */
export async function watchHeaps<T extends string>(
  pages: Readonly<Record<T, CDPSession>>,
  minutes: number,
): Promise<Record<T, Growth>> {
  const began = Date.now();
  const names = Object.keys(pages) as T[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<T, Sample[]>;
  for (let at = 0; at <= minutes * PER_MINUTE; at++) {
    await delay(Math.max(0, began + (at * 60_000) / PER_MINUTE - Date.now()));
    for (const name of names) {
      const mb = await heapOf(pages[name]);
      samples[name].push({ minute: (Date.now() - began) / 60_000, mb });
    }
    console.log(
      `  minute ${at / PER_MINUTE}: ${names.map((name) => `${name} ${samples[name].at(-1)!.mb} MB`).join(", ")}`,
    );
  }
  const growths = names.map((name): [T, Growth] => [name, growthOf(samples[name])]);
  return Object.fromEntries(growths) as Record<T, Growth>;
}

function growthOf(samples: readonly Sample[]): Growth {
  const rise = slopeOf(samples.filter(({ minute }) => minute >= WARM_MINUTES));
  return { rise, first: samples[0]!.mb, last: samples.at(-1)!.mb };
}

/** In megabytes, to the hundredth. */
async function heapOf(cdp: CDPSession): Promise<number> {
  await cdp.send("HeapProfiler.collectGarbage");
  return Math.round((await cdp.send("Runtime.getHeapUsage")).usedSize / 1e4) / 100;
}

/** Least squares. */
function slopeOf(samples: readonly Sample[]): number {
  const mean = (of: (each: Sample) => number) => samples.reduce((sum, each) => sum + of(each), 0) / samples.length;
  const [minute, mb] = [mean((each) => each.minute), mean((each) => each.mb)];
  return mean((each) => (each.minute - minute) * (each.mb - mb)) / mean((each) => (each.minute - minute) ** 2);
}

/** A sensor that jumps now and then: each time its alert opens, grows and ends. */
export async function sendJumps(grpc: string, signal: AbortSignal): Promise<void> {
  const client = createDeviceClient({ url: grpc, producer: "bench-web-alerts" });
  for (let step = 0; !signal.aborted; step++) {
    const isFar = step % JUMP_EVERY === JUMP_EVERY - 1;
    const value = isFar ? 500 : 20 + Math.sin(step) / 10;
    await client.send({
      sensorId: "jumps",
      sensorType: "temperature",
      unit: "C",
      value,
      observedAtUs: Date.now() * 1_000,
    });
    await delay(100);
  }
  await client.flush();
  await client.close();
}
