/** Web Push (RFC 8030, 8291, 8292): a notification in each browser that has subscribed. */
import { createHash } from "node:crypto";
import library from "web-push";
import type { Channel, Sent } from "../channel.ts";
import type { WebPushConfig } from "../config/config.ts";
import type { Message } from "../message.ts";
import type { Browsers } from "../push/browsers.ts";
import type { PushKey } from "../push/key.ts";
import { BROWSERS_AT_ONCE } from "../push/limits.ts";
import { pushPayload } from "../push/payload.ts";
import type { Subscription } from "../push/subscription.ts";
import { visibleTo } from "../push/visible.ts";
import { type Attempt, attempt } from "./attempt.ts";
import { secretsOfUrl } from "./http-channel.ts";
import type { ChannelOptions } from "./options.ts";
import { outcome } from "./outcome.ts";
import { post } from "./post.ts";
import { proxyFor } from "./proxy.ts";
import { failure, givenUp } from "./reason.ts";
import { type TlsOptions, tlsOptions } from "./tls.ts";

/** What a push service takes as the name of messages that replace each other. */
const TOPIC_CHARACTERS = 32;
/** The push service knows the browser no more. */
const GONE: ReadonlySet<number> = new Set([404, 410]);
/** Messages that some browsers have and others have not. */
const MAX_PARTLY_SENT = 1_000;
/** How soon a phone that saves power is woken. */
const URGENCIES: Readonly<Record<string, "high" | "low">> = {
  ...{ critical: "high", high: "high", low: "low", resolved: "low" },
};
const NOBODY =
  "no browser is subscribed that may see these alerts: switch it on in the console, on its page Notifications";

interface Posting {
  readonly to: Subscription;
  readonly message: Message;
}

interface Sending extends Attempt {
  readonly key: PushKey;
  readonly tls: TlsOptions;
}

type Outcome = Sent | { readonly kind: "gone" };

export function webPush(config: WebPushConfig, options: ChannelOptions): Channel {
  const { addresses, clock, environment, browsers, source } = options;
  const contact = config.contact ?? (source.startsWith("https:") ? source : "mailto:telltale@localhost.invalid");
  const has = new PartlySent();

  async function sendOne({ to, message }: Posting, { key, tls, signal, secrets }: Sending): Promise<Outcome> {
    secrets.hide(to.endpoint, ...secretsOfUrl(to.endpoint));
    const url = addresses.checkUrl(to.endpoint);
    const { payload, severity } = pushPayload(message);
    const { headers, body } = library.generateRequestDetails(
      { endpoint: to.endpoint, keys: { p256dh: to.p256dh, auth: to.auth } },
      payload,
      {
        vapidDetails: { subject: contact, ...key },
        contentEncoding: "aes128gcm",
        TTL: Math.floor(config.ttlMs / 1_000),
        urgency: URGENCIES[severity] ?? "normal",
        topic: topicOf(message),
      },
    );
    secrets.hide(String(headers.Authorization));
    const texts = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), `${value}`]));
    const proxy = await proxyFor(config.proxy, url, { secrets, environment, what: "browsers" });
    const answer = await post({ url, headers: texts, body, addresses, tls, proxy, signal });
    if (GONE.has(answer.status) && !answer.isOfProxy) return { kind: "gone" };
    return outcome(answer, undefined, { secrets: secrets.known, nowMs: clock.nowUs() / 1_000 });
  }

  /** What one browser's push service does is no other's concern. */
  async function tell(posting: Posting, sending: Sending, all: Browsers): Promise<Outcome> {
    const sent = await sendOne(posting, sending).catch((error: unknown) => {
      const { signal, secrets } = sending;
      return signal.aborted ? givenUp(signal.reason, secrets.known) : failure(error, secrets.known);
    });
    if (sent.kind === "gone") await all.remove(posting.to.id);
    if (sent.kind === "ok") await all.delivered(posting.to.id);
    return sent;
  }

  async function send(message: Message, current: Attempt): Promise<Sent> {
    if (browsers === undefined) return { kind: "failed", reason: "this process knows no browsers" };
    const found = (await browsers.list(config.callers)).flatMap((to): Posting[] => {
      const visible = visibleTo(message, to.sensorPrefix);
      return visible === undefined ? [] : [{ to, message: visible }];
    });
    if (found.length === 0) return { kind: "failed", reason: NOBODY };
    const postings = found.filter(({ to }) => !has.taken(message, to));
    const key = await browsers.key(current.secrets);
    const tls = await tlsOptions(config.tls, current.secrets, "push services");
    const sent: Outcome[] = [];
    for (let at = 0; at < postings.length; at += BROWSERS_AT_ONCE) {
      const some = postings.slice(at, at + BROWSERS_AT_ONCE);
      sent.push(...(await Promise.all(some.map((each) => tell(each, { ...current, key, tls }, browsers)))));
    }
    const whole = summary(sent, found.length);
    has.keep(message, whole.kind === "retry" ? postings.filter((_, i) => sent[i]!.kind !== "retry") : undefined);
    return whole;
  }

  return {
    kind: "web_push",
    send: (message, signal) =>
      attempt({ signal, timeoutMs: config.timeoutMs, environment, message }, (current) => send(message, current)),
    async close() {},
  };
}

/** Later messages of a group stand in the place of earlier ones that no browser has fetched. */
function topicOf({ groupKey, receiver }: Message): string {
  const hash = createHash("sha256").update(`${receiver}\0${groupKey}`).digest("base64url");
  return hash.slice(0, TOPIC_CHARACTERS);
}

/** Whoever may still take it is waited for; then one that refused is told of, although others have the message. */
function summary(sent: readonly Outcome[], all: number): Sent {
  const waiting = sent.filter((each) => each.kind === "retry");
  const refused = sent.filter((each) => each.kind === "failed");
  const [worst] = [...waiting, ...refused];
  if (worst === undefined) {
    if (sent.length > 0 && sent.every(({ kind }) => kind === "gone"))
      return { kind: "failed", reason: `no browser is subscribed any more: ${NOBODY}` };
    return { kind: "ok" };
  }
  const count = waiting.length > 0 ? waiting.length : refused.length;
  const reason = all === 1 ? worst.reason : `${count} of ${all} browsers: ${worst.reason}`;
  return { ...worst, reason };
}

/** Who has a message that is to be repeated for others: the repetition leaves them out. Lost with the process, which repeats it to all. */
class PartlySent {
  readonly #browsers = new Map<string, Set<string>>();

  taken({ key }: Message, { id }: Subscription): boolean {
    return this.#browsers.get(key)?.has(id) ?? false;
  }

  /** @param settled undefined: the message is not repeated */
  keep({ key }: Message, settled: readonly Posting[] | undefined): void {
    const before = this.#browsers.get(key);
    this.#browsers.delete(key);
    if (settled === undefined) return;
    this.#browsers.set(key, new Set([...(before ?? []), ...settled.map(({ to }) => to.id)]));
    if (this.#browsers.size > MAX_PARTLY_SENT) this.#browsers.delete(this.#browsers.keys().next().value!);
  }
}
