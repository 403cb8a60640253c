import { randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { type PlatformZone, SettingsBook } from "../api/settings-book.ts";
import { delay, ignoreRejection, orAbort } from "../lib/signals.ts";
import { timeZoneRules } from "../lib/time-zone.ts";
import { withZoneRules } from "../lib/zone-rules.ts";
import type { Live } from "./live.ts";
import type { Storage } from "./storage.ts";
import type { Wiring } from "./wiring.ts";

/** Until the next attempt where the log or the store could not be reached. */
const RETRY_MS = 5_000;

/**
 * TIME_ZONE counts once it is in the log: it is written there, for each partition, where the log says otherwise. Where the variable is
 * not set, what the log says stays.
 */
export function wireTimeZone(w: Wiring, { queries, log }: Storage, { submitter }: Live): void {
  const { timeZone } = w.config;
  if (timeZone === undefined) return;
  const book = new SettingsBook(queries, log.partitions);
  const ending = new AbortController();
  const announce = async (partition: number) => {
    const before = (await book.of(partition)).platform;
    if (!isOther(before, timeZone)) return;
    const id = randomUUID();
    const control = { id, principal: "TIME_ZONE", ...withZoneRules({ case: "platform", value: { timeZone } }) };
    const logged = submitter.control(partition, toBinary(ControlSchema, create(ControlSchema, control)));
    await orAbort(logged, ending.signal);
    w.logger.info(
      { partition, timeZone, before: before?.timeZone ?? "UTC" },
      "the time zone of the platform is logged",
    );
  };
  const running = Promise.all(
    Array.from({ length: log.partitions }, async (_, partition) => {
      while (!ending.signal.aborted) {
        try {
          return await announce(partition);
        } catch (error) {
          if (ending.signal.aborted) return;
          w.logger.warn({ err: error, partition, timeZone }, "the time zone could not be logged: trying again");
          await delay(RETRY_MS, ending.signal).catch(ignoreRejection);
        }
      }
    }),
  );
  w.cleanups.add("time zone", async () => {
    ending.abort();
    await running;
  });
}

/** Another zone, or newer rules of the same: what another machine knows of older ones is not put back. */
export function isOther(logged: PlatformZone | undefined, timeZone: string): boolean {
  if (logged === undefined) return timeZone !== "UTC";
  return logged.timeZone !== timeZone || logged.database < timeZoneRules(timeZone).database;
}
