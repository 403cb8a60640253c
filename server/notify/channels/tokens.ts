/** Tokens of OAuth 2.0 by the client's credentials: asked for where one is needed, and kept until they expire. */
import type { ClientAuth, Configuration } from "openid-client";
import type { Clock } from "../../clock.ts";
import type { Environment } from "../../environment.ts";
import type { Sent } from "../channel.ts";
import type { OAuth2Config } from "../config/config.ts";
import type { AddressGuard } from "./addresses.ts";
import { MAX_TOKEN_ANSWER_BYTES } from "./limits.ts";
import { outcome } from "./outcome.ts";
import { type Answer, post } from "./post.ts";
import { proxyFor } from "./proxy.ts";
import type { Secrets } from "./secrets.ts";
import { tlsOptions } from "./tls.ts";

/** A token is not used so shortly before its end: the message is on its way meanwhile. */
const EARLY_US = 10_000_000;

/** There is no token: what became of the message is what became of the call for one. */
export class NoToken extends Error {
  readonly sent: Exclude<Sent, { kind: "ok" }>;

  constructor(sent: Exclude<Sent, { kind: "ok" }>) {
    super(sent.reason);
    this.sent = sent;
  }
}

/** Of the channel's options. */
interface TokenOptions {
  readonly addresses: AddressGuard;
  readonly environment: Environment;
  readonly clock: Clock;
}

interface Asking {
  readonly secrets: Secrets;
  /** Whose it is, for the complaint: "the webhook". */
  readonly what: string;
  readonly signal: AbortSignal;
}

/** Those of one channel. */
export class Tokens {
  readonly #o: TokenOptions;
  #kept: { readonly text: string; readonly untilUs: number } | undefined;
  /** Whether the secret goes into the body, as some servers want it. */
  #inBody = false;

  constructor(options: TokenOptions) {
    this.#o = options;
  }

  /** @throws NoToken where the server gives none */
  async get(config: OAuth2Config, asking: Asking): Promise<string> {
    if (this.#kept === undefined || this.#kept.untilUs <= this.#o.clock.nowUs())
      this.#kept = await this.#ask(config, asking);
    asking.secrets.hide(this.#kept.text);
    return this.#kept.text;
  }

  /** The receiver does not take it. */
  drop(token: string): void {
    if (this.#kept?.text === token) this.#kept = undefined;
  }

  async #ask(config: OAuth2Config, asking: Asking): Promise<{ text: string; untilUs: number }> {
    const secret = await asking.secrets.read(config.clientSecret, `the client_secret of ${asking.what}`);
    const first = await this.#try(config, secret, asking);
    // As Go's clients find out which of the two ways a server takes.
    if (!(first instanceof NoToken) || this.#inBody || first.sent.kind !== "failed") return taken(first);
    this.#inBody = true;
    const second = await this.#try(config, secret, asking);
    if (second instanceof NoToken) this.#inBody = false;
    return taken(second instanceof NoToken ? first : second);
  }

  async #try(
    config: OAuth2Config,
    secret: string,
    asking: Asking,
  ): Promise<{ text: string; untilUs: number } | NoToken> {
    // Loaded where the first token is asked for: an installation without OAuth 2.0 starts without it.
    const oauth = await import("openid-client");
    const { clientId, tokenUrl, scopes, params } = config;
    const secrets = [encodeURIComponent(secret), Buffer.from(`${clientId}:${secret}`).toString("base64")];
    asking.secrets.hide(...secrets);
    const auth: ClientAuth = this.#inBody ? oauth.ClientSecretPost(secret) : oauth.ClientSecretBasic(secret);
    const server = { issuer: new URL(tokenUrl).origin, token_endpoint: tokenUrl };
    const client: Configuration = new oauth.Configuration(server, clientId, undefined, auth);
    if (tokenUrl.startsWith("http:")) oauth.allowInsecureRequests(client);
    let answer: Answer | undefined;
    let broken: unknown;
    client[oauth.customFetch] = async (_, { headers, body }) => {
      try {
        answer = await this.#post(config, { headers, body: String(body) }, asking);
      } catch (error) {
        broken = error;
        throw error;
      }
      const type = answer.headers["content-type"] ?? "";
      return new Response(answer.text, { status: answer.status, headers: { "content-type": type } });
    };
    const nowUs = this.#o.clock.nowUs();
    try {
      const scope = scopes.length === 0 ? {} : { scope: scopes.join(" ") };
      const { access_token: text, expires_in: seconds } = await oauth.clientCredentialsGrant(client, {
        ...params,
        ...scope,
      });
      const untilUs = seconds === undefined ? Number.POSITIVE_INFINITY : nowUs + seconds * 1e6 - EARLY_US;
      return { text, untilUs };
    } catch (error) {
      if (answer === undefined) throw broken ?? error;
      return new NoToken(refusal(answer, { ...asking, nowMs: nowUs / 1_000 }));
    }
  }

  async #post(
    { tokenUrl, tls, proxy }: OAuth2Config,
    { headers, body }: { headers: Record<string, string>; body: string },
    { secrets, what, signal }: Asking,
  ): Promise<Answer> {
    const { addresses, environment } = this.#o;
    const url = addresses.checkUrl(tokenUrl);
    const whose = `the token of ${what}`;
    return post({
      ...{ url, headers: { ...headers, "user-agent": "Telltale" }, body: Buffer.from(body), addresses, signal },
      tls: await tlsOptions(tls, secrets, whose),
      proxy: await proxyFor(proxy, url, { secrets, environment, what: whose }),
      maxAnswerBytes: MAX_TOKEN_ANSWER_BYTES,
    });
  }
}

function taken<T>(token: T | NoToken): T {
  if (token instanceof NoToken) throw token;
  return token;
}

function refusal(
  answer: Answer,
  { secrets, what, nowMs }: Asking & { readonly nowMs: number },
): Exclude<Sent, { kind: "ok" }> {
  // What came is not shown: it may be a token.
  const isTaken = answer.status >= 200 && answer.status < 300;
  const shown = isTaken ? { ...answer, text: "" } : answer;
  const judged = isTaken ? ({ kind: "failed" } as const) : undefined;
  const sent = outcome(shown, judged, { secrets: secrets.known, nowMs });
  if (sent.kind === "ok") throw new Error("an answer without a token was taken for one with a token");
  return { ...sent, reason: `the token of ${what}: ${sent.reason}${isTaken ? " without a token" : ""}` };
}
