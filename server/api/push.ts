/** Browsers that are notified of alerts by web push: each caller keeps its own. */
import { ECDH } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Sql } from "postgres";
import type { NotificationService, PushSubscriptionSchema } from "../../gen/es/telltale/v1/notification_pb.ts";
import type { Clock } from "../clock.ts";
import type { Environment } from "../environment.ts";
import { TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";
import { toTimestamp } from "../lib/time.ts";
import { type AddressGuard, AddressProblem } from "../notify/channels/addresses.ts";
import { SecretProblem, Secrets } from "../notify/channels/secrets.ts";
import type { NotifyConfig, Secret } from "../notify/config/config.ts";
import type { ConfigInForce } from "../notify/config/in-force.ts";
import { type PushKey, readPushKey } from "../notify/push/key.ts";
import { MAX_BROWSERS, MAX_BROWSERS_OF_CALLER } from "../notify/push/limits.ts";
import { type Subscriber, subscribe, subscriptionsOf, unsubscribe } from "../notify/push/store.ts";
import type { Subscription } from "../notify/push/subscription.ts";
import { callerKeyOf, type Principal } from "../security/principal.ts";
import { principalOf } from "./principal.ts";

type Names = "getPushSettings" | "subscribePush" | "listPushSubscriptions" | "unsubscribePush";

export interface PushOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly environment: Environment;
  readonly addresses: AddressGuard;
  readonly pushKey: Secret | undefined;
  readonly inForce: ConfigInForce;
}

export function createPushMethods(o: PushOptions): Pick<ServiceImpl<typeof NotificationService>, Names> {
  const { sql, clock } = o;
  return {
    async getPushSettings(_, context) {
      const { used } = await o.inForce.read(sql);
      const receivers = used ? tellingBrowsersOf(used.config, principalOf(context).name) : [];
      const { publicKey } = await keyOf(o);
      return { publicKey: Buffer.from(publicKey, "base64url"), receivers };
    },

    async subscribePush({ endpoint, p256dh, auth, label }, context) {
      checkEndpoint(endpoint, o.addresses);
      checkPoint(p256dh);
      const keys = { p256dh: base64url(p256dh), auth: base64url(auth) };
      const wanted = { endpoint, ...keys, label, ...subscriberOf(principalOf(context)) };
      const made = await subscribe(sql, wanted, clock.nowUs());
      if (made === undefined) {
        const most = `at most ${MAX_BROWSERS_OF_CALLER} of a caller, and ${MAX_BROWSERS} of all, are notified of alerts`;
        throw new TelltaleError("exhausted", `there are too many browsers already: ${most}. Unsubscribe another first`);
      }
      return { subscription: toMessage(made) };
    },

    async listPushSubscriptions(_, context) {
      const { callerKey } = subscriberOf(principalOf(context));
      return { subscriptions: (await subscriptionsOf(sql, callerKey, clock.nowUs())).map(toMessage) };
    },

    async unsubscribePush({ id }, context) {
      const { callerKey } = subscriberOf(principalOf(context));
      const removed = await unsubscribe(sql, id, callerKey);
      if (removed === undefined)
        throw new TelltaleError("not_found", `you have subscribed no browser with the id ${quoted(id)}`);
      return { subscription: toMessage(removed) };
    },
  };
}

function tellingBrowsersOf({ receivers }: NotifyConfig, caller: string): string[] {
  const tells = receivers.filter(({ channels }) =>
    channels.some((channel) => channel.kind === "web_push" && isOneOf(channel.callers, caller)),
  );
  return tells.map(({ name }) => name);
}

function isOneOf(callers: readonly string[], caller: string): boolean {
  return callers.length === 0 || callers.includes(caller);
}

async function keyOf({ sql, clock, environment, pushKey: given }: PushOptions): Promise<PushKey> {
  try {
    return await readPushKey({ sql, clock, given }, new Secrets(environment));
  } catch (error) {
    if (error instanceof SecretProblem) throw new TelltaleError("unavailable", error.message, { cause: error });
    throw error;
  }
}

/** Names are looked up when a message is sent. The rest of the address is a secret, and not quoted. */
function checkEndpoint(endpoint: string, addresses: AddressGuard): void {
  try {
    const { protocol, username, password } = addresses.checkUrl(endpoint);
    if (protocol !== "https:") throw new AddressProblem(`the URL begins with "${protocol}", not with https:`);
    if (username !== "" || password !== "") throw new AddressProblem("the URL has a user or a password");
  } catch (error) {
    if (!(error instanceof AddressProblem)) throw error;
    const wanted = "give it as the browser's push service made it";
    throw new TelltaleError("invalid", `endpoint: ${error.message}: ${wanted}`, { cause: error });
  }
}

function checkPoint(p256dh: Uint8Array): void {
  try {
    ECDH.convertKey(p256dh, "prime256v1");
  } catch (cause) {
    throw new TelltaleError("invalid", "p256dh: it is no point of P-256: give the browser's key as it is", { cause });
  }
}

function subscriberOf(principal: Principal): Subscriber {
  const { name: caller, tokenId, sensorPrefix } = principal;
  return { caller, callerKey: callerKeyOf(principal), tokenId, sensorPrefix };
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

function toMessage(s: Subscription): MessageInitShape<typeof PushSubscriptionSchema> {
  const { id, label, caller, sensorPrefix } = s;
  return {
    ...{ id, label, caller, sensorPrefix, service: new URL(s.endpoint).host },
    createdAt: toTimestamp(s.createdUs),
    renewedAt: toTimestamp(s.renewedUs),
    ...(s.successUs === undefined ? {} : { lastSuccessAt: toTimestamp(s.successUs) }),
  };
}
