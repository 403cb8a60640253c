import { createDeviceClient, type DeviceClient } from "../../client/index.ts";

/** How long people and devices were made to wait, as they see it from outside. */
export class Availability {
  /** Milliseconds of every answer; infinite where there was none in time. */
  readonly calls: number[] = [];
  readonly acks: number[] = [];
  /** Readings of the probe, to be held against the store like all others. */
  readonly probed = new Map<string, number>();
  readonly #urls: readonly string[];
  readonly #client: DeviceClient;
  readonly #sentAt: number[] = [];
  readonly #timer: NodeJS.Timeout;
  #turn = 0;
  #under = new Set<Promise<void>>();

  constructor(devicesUrl: string, gatewayUrls: readonly string[]) {
    this.#urls = gatewayUrls;
    this.#client = createDeviceClient({
      url: devicesUrl,
      producer: "probe",
      lingerMs: 0,
      maxBackoffMs: 500,
      onProgress: ({ durable }) => {
        while (this.acks.length < durable) this.acks.push(performance.now() - this.#sentAt[this.acks.length]!);
      },
    });
    this.#timer = setInterval(() => this.#probe(), everyMs);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#under);
    await this.#client.flush();
    await this.#client.close();
  }

  #probe(): void {
    for (const work of [this.#call(), this.#send()]) {
      this.#under.add(work);
      void work.finally(() => this.#under.delete(work));
    }
  }

  async #call(): Promise<void> {
    const url = `${this.#urls[this.#turn++ % this.#urls.length]}/api/v1/sensors/data?limit=1`;
    const began = performance.now();
    const answered = await fetch(url, { signal: AbortSignal.timeout(callTimeoutMs) }).then(
      async (response) => {
        await response.text();
        return response.ok;
      },
      () => false, // no answer is what is counted here
    );
    this.calls.push(answered ? performance.now() - began : Number.POSITIVE_INFINITY);
  }

  async #send(): Promise<void> {
    const observedAtUs = Date.now() * 1_000;
    this.#sentAt.push(performance.now());
    const key = `probe@${observedAtUs}`;
    this.probed.set(key, 1);
    await this.#client.send({ sensorId: "probe", sensorType: "probe", unit: "1", value: 1, observedAtUs });
  }
}

const everyMs = 250;
const callTimeoutMs = 5_000;

/** Share of the answers within a second, in percent. */
export function withinASecond(ms: readonly number[]): number {
  return (100 * ms.filter((each) => each <= 1_000).length) / Math.max(1, ms.length);
}

export function percentile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** A table for people, columns as wide as their widest cell. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) => `  ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join("  ")}\n`;
  return line(head) + rows.map(line).join("");
}
