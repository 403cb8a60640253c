/** Who is on call, and who takes over from whom. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Sql } from "postgres";
import type { NotificationService, OverrideSchema } from "../../gen/es/telltale/v1/notification_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";
import { didYouMean } from "../lib/suggest.ts";
import { DAY_US, toMicros, toTimestamp } from "../lib/time.ts";
import type { ConfigInForce } from "../notify/config/in-force.ts";
import { type Override, onCall } from "../notify/oncall/oncall.ts";
import { shiftsOf } from "../notify/oncall/shifts.ts";
import { addOverride, endOverride, MAX_OVERRIDES, readOverrides } from "../notify/oncall/store.ts";
import { principalOf } from "./principal.ts";
import { invalid, timeOf } from "./query.ts";

/** Each minute of the range is looked at. */
const MAX_RANGE_US = 62 * DAY_US;
const DEFAULT_RANGE_US = 14 * DAY_US;
const MAX_AHEAD_US = 366 * DAY_US;

export interface OnCallOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly inForce: ConfigInForce;
}

type Names = "getOnCall" | "listShifts" | "createOverride" | "listOverrides" | "endOverride";

export function createOnCallMethods({
  sql,
  clock,
  inForce,
}: OnCallOptions): Pick<ServiceImpl<typeof NotificationService>, Names> {
  return {
    async getOnCall({ at }) {
      const us = timeOf("at", at, clock.nowUs());
      const { schedules, timeIntervals } = (await inForce.readable(sql)).config;
      const overrides = await readOverrides(sql, { endAfterUs: us });
      return {
        schedules: schedules.map((schedule) => ({
          schedule: schedule.name,
          timeZone: schedule.timeZone,
          onCall: onCall(schedule, { timeIntervals, overrides }, us),
        })),
      };
    },

    async listShifts({ schedule: name, startTime, endTime }, { signal }) {
      const fromUs = timeOf("start_time", startTime, clock.nowUs());
      const toUs = timeOf("end_time", endTime, fromUs + DEFAULT_RANGE_US);
      if (toUs <= fromUs) throw invalid("end_time", "must be after start_time");
      if (toUs - fromUs > MAX_RANGE_US) {
        throw invalid("end_time", `is ${Math.ceil((toUs - fromUs) / DAY_US)} days after start_time: give at most 62`);
      }
      const { schedules, timeIntervals } = (await inForce.readable(sql)).config;
      const schedule = named("schedule", schedules, name);
      const overrides = await readOverrides(sql, { endAfterUs: fromUs });
      const shifts = await shiftsOf(schedule, { timeIntervals, overrides }, { fromUs, toUs, signal });
      return {
        shifts: shifts.map(({ receiver, overrideId, startsUs, endsUs }) => ({
          ...{ receiver, overrideId, startTime: toTimestamp(startsUs), endTime: toTimestamp(endsUs) },
        })),
      };
    },

    async createOverride({ schedule, receiver, replaces, startTime, durationSeconds, comment }, context) {
      const nowUs = clock.nowUs();
      const { schedules, receivers } = (await inForce.readable(sql)).config;
      named("schedule", schedules, schedule);
      named("receiver", receivers, receiver);
      if (replaces !== "") named("receiver", receivers, replaces);
      if (replaces === receiver) throw invalid("replaces", "is the receiver itself");
      const startsUs = startOf(startTime, nowUs);
      const endsUs = startsUs + durationSeconds * 1e6;
      if (endsUs <= nowUs) throw invalid("duration_seconds", "it would be over already: give a longer one");
      const { name: author } = principalOf(context);
      const override = { schedule, receiver, replaces, startsUs, endsUs, author, comment };
      const made = await addOverride(sql, override, nowUs);
      if (made === undefined) {
        throw new TelltaleError("exhausted", `there are ${MAX_OVERRIDES} overrides already: end those nobody needs`);
      }
      return { override: toMessage(made) };
    },

    async listOverrides() {
      return { overrides: (await readOverrides(sql, { endAfterUs: clock.nowUs() })).map(toMessage) };
    },

    async endOverride({ id }) {
      const ended = await endOverride(sql, id, clock.nowUs());
      if (ended === undefined) {
        throw new TelltaleError("not_found", `there is no override ${quoted(id)} that is not over`);
      }
      return { override: toMessage(ended) };
    },
  };
}

/** @throws TelltaleError "not_found" */
function named<T extends { readonly name: string }>(kind: string, all: readonly T[], name: string): T {
  const found = all.find((each) => each.name === name);
  if (found !== undefined) return found;
  const hint = didYouMean(
    name,
    all.map((each) => each.name),
  );
  throw new TelltaleError("not_found", `there is no ${kind} ${quoted(name)}${hint}`);
}

function startOf(startTime: Timestamp | undefined, nowUs: number): number {
  if (startTime === undefined) return nowUs;
  const us = toMicros(startTime);
  if (us <= nowUs + MAX_AHEAD_US) return us;
  throw invalid("start_time", "must be at most 366 days ahead");
}

function toMessage({ startsUs, endsUs, createdUs: _, ...override }: Override): MessageInitShape<typeof OverrideSchema> {
  return { ...override, startTime: toTimestamp(startsUs), endTime: toTimestamp(endsUs) };
}
