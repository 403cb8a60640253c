/** A sensor gets another id. It is no record of the log: no decision knows what a sensor is called. */
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { partitionOf } from "../ingest/series.ts";
import { quoted } from "../lib/quoted.ts";
import { delay } from "../lib/signals.ts";
import type { SensorDetails } from "../registry/details.ts";
import type { Registry } from "../registry/registry.ts";
import { MAX_NAMES, type Renaming } from "../registry/rename.ts";
import { canAccessSensor } from "../security/principal.ts";
import type { SensorNames } from "../store/names.ts";
import { principalOf } from "./principal.ts";
import { invalid } from "./query.ts";
import { sensorMessage } from "./registry-messages.ts";

/** A process that is gone is waited for until its time is over; a gateway waits 10 s for an answer. */
const READERS_MS = 9_000;
const LOOK_MS = 25;

export interface RenameOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly names: Pick<SensorNames, "current" | "refresh">;
  readonly partitions: number;
  /** Other processes hear that names have changed. */
  readonly publishNames: () => void;
  /** What is stored has changed: answers that were kept are not right any more. */
  readonly onChanged: () => Promise<void>;
}

export function createRename(o: RenameOptions): Pick<ServiceImpl<typeof RegistryService>, "renameSensor"> {
  const { registry, clock, names } = o;

  /** Here and elsewhere. */
  async function changed(): Promise<void> {
    o.publishNames();
    await names.refresh();
  }

  async function find(sensorId: string, context: HandlerContext): Promise<SensorDetails> {
    const shown = names.current.shownOf(sensorId);
    const [details] = canAccessSensor(principalOf(context), shown) ? await registry.get([shown]) : [];
    if (details !== undefined) return details;
    throw new TelltaleError("not_found", `there is no sensor ${quoted(sensorId)}: nothing was changed`);
  }

  /** All processes that take readings know the id, and what they had taken under it before is committed. */
  async function takenUp(name: string, signal: AbortSignal): Promise<void> {
    const version = await registry.namesVersion();
    const until = clock.monotonicMs() + READERS_MS;
    for (;;) {
      const behind = await registry.readersBehind(version);
      if (behind === 0) return;
      if (clock.monotonicMs() > until)
        throw new TelltaleError(
          "unavailable",
          `${behind} of the processes that take readings ${behind === 1 ? "does" : "do"} not answer for the new id ${quoted(name)}: ` +
            "nothing was changed; try again later",
          { retryAfterMs: 1_000 },
        );
      await delay(LOOK_MS, signal);
    }
  }

  /** After the id was reserved. Whatever goes wrong, it is free again. */
  async function show(renaming: Renaming, isNew: boolean, signal: AbortSignal): Promise<void> {
    try {
      await takenUp(renaming.name, signal);
      const result = await registry.completeRename(renaming, partitionOf(renaming.key, o.partitions));
      if (result === "taken") throw taken(renaming.name);
      if (result === "gone")
        throw new TelltaleError("not_found", `the sensor ${quoted(renaming.shown)} was deleted meanwhile`);
    } catch (error) {
      if (isNew) await registry.releaseName(renaming);
      throw error;
    } finally {
      await changed();
    }
  }

  return {
    async renameSensor({ sensorId, newSensorId: name }, context) {
      if (name === sensorId)
        throw invalid("new_sensor_id", `${quoted(name)} is the id that the sensor has: give another one`);
      const principal = principalOf(context);
      await names.refresh();
      const details = await find(sensorId, context);
      if (!canAccessSensor(principal, name))
        throw new TelltaleError(
          "forbidden",
          `new_sensor_id: ${principal.name} is limited to sensors "${principal.sensorPrefix}…", and ${quoted(name)} is none of these`,
        );
      const shown = details.sensorId;
      if (shown !== name) {
        const key = names.current.keyOf(shown);
        const renaming = { key, shown, name, nowUs: clock.nowUs(), who: principal.name };
        const reserved = await registry.reserveName(renaming);
        if (reserved === "taken") throw taken(name);
        if (reserved === "removing") throw removing(name);
        if (reserved === "many") throw many(shown);
        await changed();
        await show(renaming, reserved === "reserved", context.signal);
        await o.onChanged();
      }
      return { sensor: sensorMessage(await find(name, context), clock.nowUs(), principal) };
    },
  };
}

function taken(name: string): TelltaleError {
  return new TelltaleError(
    "exists",
    `new_sensor_id: there is a sensor ${quoted(name)}, or the id leads to another sensor: give an id that is free`,
  );
}

function removing(name: string): TelltaleError {
  return new TelltaleError(
    "conflict",
    `new_sensor_id: what was stored under ${quoted(name)} is still being removed (telltale sensor deletions): try again later`,
  );
}

function many(shown: string): TelltaleError {
  return new TelltaleError(
    "conflict",
    `the sensor ${quoted(shown)} has had ${MAX_NAMES} ids, which is the limit: give it one that it had before`,
  );
}
