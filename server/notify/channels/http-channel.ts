/** What all channels over HTTP share: credentials, the guarded connection, and what answers mean. */
import type { Channel, Sent } from "../channel.ts";
import type { ChannelConfig, HttpChannelConfig } from "../config/config.ts";
import type { Message } from "../message.ts";
import { type Attempt, attempt } from "./attempt.ts";
import type { ChannelOptions } from "./options.ts";
import { type Judgement, outcome } from "./outcome.ts";
import { type Answer, post } from "./post.ts";
import { proxyFor } from "./proxy.ts";
import type { Secrets } from "./secrets.ts";
import { headerText, identity } from "./texts.ts";
import { tlsOptions } from "./tls.ts";
import { NoToken, Tokens } from "./tokens.ts";

/** Of the header that others know as the key of a call that may be repeated. */
const MAX_ID_CHARACTERS = 200;
/** A shorter part of a URL tells nothing, and would be found in words. */
const MIN_HIDDEN_CHARACTERS = 6;

/** What is posted. */
export interface Outgoing {
  /** Absent: that of the configuration. */
  readonly address?: string;
  /** Beside the usual ones, or instead of them. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Absent: POST. */
  readonly method?: "GET" | "POST" | "PUT";
  /** Absent: none. */
  readonly body?: Buffer;
  /** Of the answer, that are read. */
  readonly maxAnswerBytes?: number;
  /** The same without its picture: posted instead where the receiver refuses it, as where a chat takes no files. */
  readonly plain?: Outgoing;
}

export interface Posted {
  readonly url: string;
  readonly message: Message;
  readonly secrets: Secrets;
}

/** What was answered, and what it means. */
export interface Reply {
  readonly sent: Sent;
  readonly answer: Answer;
}

export type Call = (outgoing: Outgoing) => Promise<Reply>;

/** A kind of channel. */
export interface HttpKind {
  readonly kind: ChannelConfig["kind"];
  /** As in "the URL of Slack". */
  readonly what: string;
  /** That it is sent where the configuration has no others of these names, which are in small letters. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Several where one has no room for all: they are posted one after the other, and the message is taken where all are. */
  readonly outgoing?: (posted: Posted) => Promise<readonly Outgoing[]> | readonly Outgoing[];
  /** In place of `outgoing`, where what is posted depends on answers: what became of the message. */
  readonly converse?: (posted: Posted, call: Call) => Promise<Sent>;
  /** What a 2xx, or another answer, means here; undefined: what it means everywhere. */
  readonly judge?: (answer: Answer) => Judgement | undefined;
}

/** Nothing is connected before a message is sent, and nothing stays open between messages. */
export function httpChannel(
  { kind, what, headers: kinds, outgoing, converse = inTurn(outgoing), judge }: HttpKind,
  config: HttpChannelConfig,
  options: ChannelOptions,
): Channel {
  const { addresses, clock, environment } = options;
  const tokens = options.tokens ?? new Tokens(options);
  async function send(message: Message, { signal, secrets }: Attempt): Promise<Sent> {
    const url = await secrets.read(config.url, `the URL of ${what}`);
    secrets.hide(...secretsOfUrl(url));
    const own = await ownHeaders(config, secrets, what);
    const usual = { ...kinds, ...own, ...usualHeaders(message), ...(await credentials(config, secrets, what)) };
    const tls = await tlsOptions(config.tls, secrets, what);
    const call = async ({ address = url, headers, body = Buffer.alloc(0), method, maxAnswerBytes }: Outgoing) => {
      const to = addresses.checkUrl(address);
      const proxy = await proxyFor(config.proxy, to, { secrets, environment, what });
      const posting = {
        ...{ url: to, body, addresses, tls, proxy, signal },
        ...(method !== undefined && { method }),
        ...(maxAnswerBytes !== undefined && { maxAnswerBytes }),
      };
      const answer = await authorized(async (authorization) =>
        post({ ...posting, headers: { ...usual, ...authorization, ...headers } }),
      );
      const sent = outcome(answer, judge?.(answer), { secrets: secrets.known, nowMs: clock.nowUs() / 1_000 });
      return { sent, answer };
    };
    /** With a token where one is wanted, and with another where that is not taken any more. */
    const authorized = async (postBy: (headers: Record<string, string>) => Promise<Answer>): Promise<Answer> => {
      const { oauth2 } = config;
      if (oauth2 === undefined) return postBy({});
      const asking = { secrets, what, signal };
      const token = await tokens.get(oauth2, asking);
      const answer = await postBy({ authorization: `Bearer ${token}` });
      if (answer.status !== 401 || answer.isOfProxy) return answer;
      tokens.drop(token);
      return postBy({ authorization: `Bearer ${await tokens.get(oauth2, asking)}` });
    };
    return converse({ url, message, secrets }, call);
  }
  return {
    kind,
    send: (message, signal) =>
      attempt({ signal, timeoutMs: config.timeoutMs, environment, message }, (current) =>
        send(message, current).catch((error: unknown) => {
          if (error instanceof NoToken) return error.sent;
          throw error;
        }),
      ),
    async close() {},
  };
}

/** One after the other, for as long as they are taken; without its picture what is refused with it. */
function inTurn(outgoing: HttpKind["outgoing"]): NonNullable<HttpKind["converse"]> {
  return async (posted, call) => {
    for (const each of (await outgoing?.(posted)) ?? []) {
      const first = (await call(each)).sent;
      const sent = first.kind === "failed" && each.plain !== undefined ? (await call(each.plain)).sent : first;
      if (sent.kind !== "ok") return sent;
    }
    return { kind: "ok" };
  };
}

export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** The answer as JSON; undefined where it is none. */
export function answerJson({ text }: Answer): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined; // a page of a proxy, or the beginning of something long
  }
}

export function messageId({ key }: Message): string {
  return headerText(identity(key, MAX_ID_CHARACTERS));
}

function usualHeaders(message: Message): Record<string, string> {
  return {
    "content-type": "application/json",
    "user-agent": "Telltale",
    "idempotency-key": messageId(message),
  };
}

/** Of the configuration: several values of one are separated by commas. */
async function ownHeaders(
  { headers = {} }: HttpChannelConfig,
  secrets: Secrets,
  what: string,
): Promise<Record<string, string>> {
  const read = Object.entries(headers).map(async ([name, values]) => {
    const texts = await Promise.all(values.map((value) => secrets.read(value, `the header ${name} of ${what}`)));
    return [name.toLowerCase(), texts.join(", ")] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

/** Those of the URL are Node's to send, where there are no others. */
async function credentials(
  { authorization, basicAuth }: HttpChannelConfig,
  secrets: Secrets,
  what: string,
): Promise<Record<string, string>> {
  if (authorization !== undefined) {
    const text = await secrets.read(authorization.credentials, `the credentials of ${what}`);
    return { authorization: `${authorization.type} ${text}` };
  }
  if (basicAuth === undefined) return {};
  const password = await secrets.read(basicAuth.password, `the password of ${what}`);
  const pair = Buffer.from(`${basicAuth.username}:${password}`).toString("base64");
  secrets.hide(pair);
  return { authorization: `Basic ${pair}` };
}

/** Whoever learns a webhook's URL may write to it: its path and its parameters are secrets, its host is not. */
export function secretsOfUrl(address: string): string[] {
  if (!URL.canParse(address)) return [];
  const { pathname, search, username, password, searchParams } = new URL(address);
  const pair = Buffer.from(`${username}:${password}`).toString("base64");
  const parts = [...pathname.split("/"), ...searchParams.values(), username, password];
  const whole = [pathname, `${pathname}${search}`].filter((path) => path !== "/");
  return [...whole, ...parts.filter((part) => part.length >= MIN_HIDDEN_CHARACTERS), ...(password ? [pair] : [])];
}
