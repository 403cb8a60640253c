/** Signs of life: taken from programs, and shown to people. */
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Sql } from "postgres";
import type { NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import type { Clock } from "../clock.ts";
import type { Environment } from "../environment.ts";
import { TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";
import { didYouMean } from "../lib/suggest.ts";
import { toTimestamp } from "../lib/time.ts";
import { SecretProblem, Secrets } from "../notify/channels/secrets.ts";
import type { HeartbeatConfig } from "../notify/config/config.ts";
import type { ConfigInForce } from "../notify/config/in-force.ts";
import { deadlineUs } from "../notify/heartbeats/due.ts";
import { readHeartbeats, readPings, readWatch, type StoredHeartbeat, takeSign } from "../notify/heartbeats/store.ts";
import { Attempts } from "../security/attempts.ts";
import { canAccessSensor } from "../security/principal.ts";
import { hashOf, sameHash } from "../security/secret.ts";
import { peerKey, principalOf } from "./principal.ts";

export interface HeartbeatOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly environment: Environment;
  /** Tells the process that decides on notifications that something was committed. */
  readonly wake: () => void;
}

type Names = "sendHeartbeat" | "sendHeartbeatByToken" | "listHeartbeats";

export function createHeartbeatMethods(
  { sql, clock, environment, wake }: HeartbeatOptions,
  inForce: ConfigInForce,
): Pick<ServiceImpl<typeof NotificationService>, Names> {
  const attempts = new Attempts(clock);
  const configured = async () => (await inForce.readable(sql)).config;

  async function take({ name }: HeartbeatConfig) {
    const { atUs, wasMissing } = await takeSign(sql, name);
    // Over at once, and not with the next look.
    if (wasMissing) wake();
    return { takenAt: toTimestamp(atUs) };
  }

  return {
    async sendHeartbeat({ name }, context) {
      const own = (await configured()).heartbeats.filter((each) => isVisible(each, context));
      const found = own.find((each) => each.name === name);
      if (found !== undefined) return take(found);
      const hint = didYouMean(
        name,
        own.map((each) => each.name),
      );
      throw new TelltaleError("not_found", `the configuration has no heartbeat ${quoted(name)}${hint}`);
    },

    async sendHeartbeatByToken({ name, token }, { values }) {
      const { heartbeats } = await configured();
      const { address } = values.get(peerKey);
      const found = await attempts.check({ address, authorization: null }, async () => {
        const known = heartbeats.find((each) => each.name === name);
        if (known !== undefined && (await hasToken(known, token, environment))) return known;
        // One sentence: which names there are is nobody's business who has no token.
        throw new TelltaleError("unauthenticated", `there is no heartbeat ${quoted(name)} with this token`);
      });
      return take(found);
    },

    async listHeartbeats(_, context) {
      const { heartbeats, pings } = await configured();
      const watchedUs = await readWatch(sql);
      const stored = new Map((await readHeartbeats(sql)).map((each) => [each.name, each]));
      const sent = new Map((await readPings(sql)).map((each) => [each.name, each]));
      const seesAll = principalOf(context).sensorPrefix === "";
      return {
        heartbeats: heartbeats
          .filter((each) => isVisible(each, context))
          .map((each) => heartbeatMessage(each, stored.get(each.name), watchedUs)),
        pings: (seesAll ? pings : []).map(({ name, intervalMs }) => {
          const { okUs, failedUs, reason = "" } = sent.get(name) ?? {};
          const times = { ...timeOf("takenAt", okUs), ...timeOf("failedAt", failedUs) };
          return { name, intervalMs: BigInt(intervalMs), reason, ...times };
        }),
      };
    },
  };
}

function isVisible({ labels }: HeartbeatConfig, context: HandlerContext): boolean {
  return canAccessSensor(principalOf(context), labels.sensor_id ?? "");
}

/** @throws TelltaleError "unavailable" where the token cannot be had here */
async function hasToken({ token }: HeartbeatConfig, given: string, environment: Environment): Promise<boolean> {
  if (token === undefined) return false;
  try {
    const wanted = await new Secrets(environment).read(token, "the token of a heartbeat");
    return sameHash(hashOf(wanted), hashOf(given));
  } catch (error) {
    if (!(error instanceof SecretProblem)) throw error;
    throw new TelltaleError("unavailable", "the token of the heartbeat cannot be checked now", { cause: error });
  }
}

function heartbeatMessage(heartbeat: HeartbeatConfig, stored: StoredHeartbeat | undefined, watchedUs?: number) {
  const { name, intervalMs, graceMs, labels } = heartbeat;
  const { lastUs, missingUs, pings = 0 } = stored ?? {};
  const waits = stored !== undefined && missingUs === undefined && watchedUs !== undefined;
  const missingAtUs = waits ? deadlineUs({ ...stored, isMissing: false }, heartbeat, watchedUs) : undefined;
  return {
    ...{ name, labels, count: BigInt(pings), intervalMs: BigInt(intervalMs), graceMs: BigInt(graceMs) },
    ...timeOf("lastAt", lastUs),
    ...timeOf("missingSince", missingUs),
    ...timeOf("missingAt", missingAtUs),
  };
}

function timeOf<N extends string>(name: N, us: number | undefined) {
  return us === undefined ? {} : ({ [name]: toTimestamp(us) } as Record<N, ReturnType<typeof toTimestamp>>);
}
