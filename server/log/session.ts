import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { StartupError, TelltaleError } from "../errors.ts";
import { type Client, openClient, type SqlAddress } from "../postgres/connection.ts";
import { transaction } from "../postgres/transaction.ts";
import type { Row } from "./rows.ts";
import { appendRows, createSegment, type Layout, lockAppender, takeOver } from "./segments.ts";

/** A commit that takes longer counts as lost: the session is replaced and the tables are asked what became of it. */
const commitTimeoutMs = 10_000;
/** Between attempts to get a session back; doubles up to the second. */
const retryMs = { first: 100, most: 2_000 };

/**
 * The one connection that appends. It holds the appender's lock; when it breaks, `reopen` takes the log over again, which also
 * settles what became of the last commit.
 */
export class AppendSession {
  layout: Layout = { segments: [], next: [] };
  /** Why nothing can be appended at present. */
  failure: Error | undefined;
  readonly #address: SqlAddress;
  readonly #partitions: number;
  readonly #segmentBytes: number;
  readonly #logger: Logger;
  readonly #me = `telltale-log-${process.pid}-${randomUUID().slice(0, 8)}`;
  readonly #closing = new AbortController();
  #client: Client | undefined;
  #reopening: Promise<void> | undefined;
  #bytes = 0;

  constructor(address: SqlAddress, partitions: number, segmentBytes: number, logger: Logger) {
    this.#address = address;
    this.#partitions = partitions;
    this.#segmentBytes = segmentBytes;
    this.#logger = logger;
  }

  /** Connects, takes the lock and begins a segment. Rejects with StartupError when another process has the log. */
  async open(): Promise<void> {
    const client = openClient(this.#address, {
      max: 1,
      idle_timeout: 0,
      max_lifetime: 0, // the lock lives as long as the connection
      backoff: false,
      onclose: () => this.#lost(client),
      // A dead peer is noticed within half a minute; an acknowledgement never outruns the disk.
      connection: {
        application_name: this.#me,
        tcp_keepalives_idle: 10,
        tcp_keepalives_interval: 5,
        tcp_keepalives_count: 3,
      },
    });
    try {
      await lockAppender(client.sql, this.#me);
      this.layout = await takeOver(client.sql, this.#partitions);
    } catch (error) {
      client.destroy();
      throw error;
    }
    this.#client = client;
    this.#bytes = 0;
    this.failure = undefined;
  }

  /** One transaction; begins a new segment first when this one is full. */
  async commit(rows: readonly Row[]): Promise<void> {
    const client = this.#client;
    if (!client) throw this.failure ?? new Error("no session");
    const timer = setTimeout(() => client.destroy(), commitTimeoutMs);
    try {
      if (this.#bytes >= this.#segmentBytes) await this.#nextSegment(client);
      await appendRows(client.sql, this.layout.segments.at(-1)!, rows);
    } finally {
      clearTimeout(timer);
    }
    for (const { partition, offset, bytes } of rows) {
      this.layout.next[partition] = offset + 1;
      this.#bytes += bytes.length;
    }
  }

  /** Comes back when the log is ours again. Rejects only when closed. */
  reopen(cause: unknown): Promise<void> {
    this.#reopening ??= this.#tryToReopen(cause).finally(() => {
      this.#reopening = undefined;
    });
    return this.#reopening;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#client?.sql.end({ timeout: 1 });
    this.#drop();
  }

  async #tryToReopen(cause: unknown): Promise<void> {
    this.#logger.warn({ err: cause }, "the session that appends to the log broke: reconnecting");
    this.failure = cause as Error;
    this.#drop();
    for (let delayMs = retryMs.first; !this.#closed; delayMs = Math.min(delayMs * 2, retryMs.most)) {
      try {
        await this.open();
        if (this.#closed) break;
        this.#logger.info("appending to the log goes on");
        return;
      } catch (error) {
        this.failure = error as Error;
        const level = error instanceof StartupError ? "error" : "warn";
        this.#logger[level]({ err: error, retryMs: delayMs }, "the log cannot be written to");
        await sleep(delayMs, undefined, { signal: this.#closing.signal }).catch(() => undefined); // closing ends the wait
      }
    }
    this.#drop();
    throw new TelltaleError("unavailable", "The log is closed.");
  }

  async #nextSegment({ sql }: Client): Promise<void> {
    const id = this.layout.segments.at(-1)!.id + 1;
    const made = await transaction(sql, (tx) => createSegment(tx, id, this.layout.next));
    this.layout.segments.push(made);
    this.#bytes = 0;
  }

  /** The library would connect again by itself, without the lock. */
  #lost(client: Client): void {
    client.destroy();
    if (client !== this.#client || this.#closed) return;
    const cause = new Error("the connection to the database was lost");
    this.reopen(cause).catch(() => undefined); // it rejects only when closed, and then nobody waits here
  }

  #drop(): void {
    this.#client?.destroy();
    this.#client = undefined;
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }
}
