/** Sessions of browsers: signing in with a token, signing out, and the credential of a call that came with the cookie. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { type CallOptions, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { SESSION_HEADER } from "../../formats/console-page.ts";
import { AdminService } from "../../gen/es/telltale/v1/admin_pb.ts";
import { isLoopback } from "../../server/lib/authority.ts";
import { isOwnOrigin } from "../../server/lib/own-origin.ts";
import { SESSION_TIMES } from "../../server/lib/session-times.ts";
import { type Answer, BodyTooLarge, detail, JSON_TYPE, MAX_BODY_BYTES, readBody } from "../http.ts";
import { passedOn } from "../mesh/call.ts";
import { COOKIE, cookieOf, isOver, Sealer, type Session, type SessionTimes, setCookie } from "./cookie.ts";
import { type OidcFlow, problemPath, redirect } from "./oidc.ts";

/** The cookie is made anew when its last use is this long ago, not by every call. */
const RENEW_MS = 60_000;
/** Browsers keep cookies of 4 KiB; sealing adds a third. */
const MAX_TOKEN_CHARACTERS = 2_600;
/** Of what a browser calls itself. */
const MAX_BROWSER_CHARACTERS = 300;
const TIMEOUT_MS = 5_000;

export interface SessionsOptions {
  readonly grpcUrl: string;
  /** Whether callers have to say who they are. */
  readonly auth: boolean;
  readonly secret: string | undefined;
  /** Whether this listener itself speaks TLS. */
  readonly tls?: boolean;
  readonly times?: SessionTimes;
  /** Absent: nobody signs in elsewhere. */
  readonly oidc?: OidcFlow | undefined;
  /** Wall clock. */
  readonly nowMs?: () => number;
}

/** Of a call that was made in a session that the browser is not in any more. */
export const OF_ANOTHER = "This browser is signed in as somebody else, or again, since the page was loaded";
const NOT_ENDED =
  "This browser is signed out, but the platform does not answer: a copy of the cookie, if there is one, counts until the session ends";
const FORM_TYPE = "application/x-www-form-urlencoded";
const NO_STORE = { "cache-control": "no-store" };
const AGAIN = { ...NO_STORE, "retry-after": "1" };
const NO_PROVIDER = detail(404, "No identity provider is set up: OIDC_CLIENT_ID sets one");

/** What the cookie adds to a call. */
export interface CookieCredential {
  /** Of the session. */
  readonly id: string;
  readonly authorization: string;
  /** To be set with the answer; undefined: the browser's is fresh enough. */
  readonly renewed: string | undefined;
  /** Wall clock: a stream must not outlive it. */
  readonly endsMs: number;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sealer: Sealer;
  readonly #times: SessionTimes;
  readonly #now: () => number;
  readonly #admin;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#sealer = new Sealer(options.secret);
    this.#times = options.times ?? SESSION_TIMES;
    this.#now = options.nowMs ?? Date.now;
    this.#admin = createClient(AdminService, createGrpcTransport({ baseUrl: options.grpcUrl }));
  }

  /** Undefined where there is no session, it is over, or the request is not one of our own pages'. */
  credential(headers: IncomingHttpHeaders): CookieCredential | undefined {
    return isOwnPage(headers) ? this.#credential(headers) : undefined;
  }

  /** Of a request for a page itself, whoever led to it: what is answered is for the window that shows it, and no other page reads it. */
  credentialOfPage(headers: IncomingHttpHeaders): CookieCredential | undefined {
    return isNavigation(headers) ? this.#credential(headers) : undefined;
  }

  /** Whether a page made the call in another session than the browser's cookie is of: then it must count for nobody. */
  isOfAnother(headers: IncomingHttpHeaders, credential: { readonly id: string } | undefined): boolean {
    const meant = headers[SESSION_HEADER];
    return meant !== undefined && meant !== credential?.id;
  }

  #credential(headers: IncomingHttpHeaders): CookieCredential | undefined {
    if (!this.#options.auth || headers.authorization !== undefined) return undefined;
    const session = this.#sessionOf(headers);
    if (session === undefined) return undefined;
    const now = this.#now();
    const renewed = now - session.usedMs < RENEW_MS ? undefined : this.#cookie({ ...session, usedMs: now }, headers);
    return {
      id: session.id,
      authorization: authorizationOf(session),
      renewed,
      endsMs: session.begunMs + this.#times.absoluteMs,
    };
  }

  /** `POST /ui/session` with {"token": "…"}: 204 and the cookie, or why not. */
  async signIn(request: IncomingMessage): Promise<Answer> {
    if (!isOwnPage(request.headers)) return detail(403, "Only the console's own page signs in: send its Origin");
    if (!this.#options.auth) return detail(409, "AUTH is off: nobody has to sign in");
    const body = await readBody(request).catch(tooLarge);
    if (body === undefined) return detail(413, `A session's request has at most ${MAX_BODY_BYTES} bytes`);
    const token = tokenOf(request.headers["content-type"], body);
    if (token === undefined) return detail(422, 'Send {"token": "…"} as application/json');
    const begun = await this.#begin(token, request.headers);
    return "refused" in begun ? begun.refused : { status: 204, body: "", headers: { "set-cookie": begun.cookie } };
  }

  async #begin(token: string, headers: IncomingHttpHeaders): Promise<{ cookie: string } | { refused: Answer }> {
    if (token.length > MAX_TOKEN_CHARACTERS) {
      const text = `The token has ${token.length} characters; a session takes ${MAX_TOKEN_CHARACTERS}`;
      return { refused: detail(422, text) };
    }
    const browser = (headers["user-agent"] ?? "").slice(0, MAX_BROWSER_CHARACTERS);
    try {
      const { session } = await this.#admin.beginSession({ browser }, callOptions(headers, `Bearer ${token}`));
      const now = this.#now();
      return { cookie: this.#cookie({ id: session!.id, token, begunMs: now, usedMs: now }, headers) };
    } catch (error) {
      return { refused: refusalOf(error) };
    }
  }

  /** `GET /ui/session`: how people may sign in. */
  ways(): Answer {
    const { auth, oidc } = this.#options;
    const body = { required: auth, oidc: oidc === undefined ? null : { name: oidc.name } };
    return { status: 200, body, headers: { "cache-control": "no-store" } };
  }

  /** `GET /ui/session/oidc?to=…`: to the identity provider. */
  async toProvider(query: URLSearchParams): Promise<Answer> {
    return this.#options.oidc?.begin(query.get("to") ?? "") ?? NO_PROVIDER;
  }

  /** Where the provider leads the browser back to: a session begins, and the console is gone on to. */
  async fromProvider({ headers, url = "" }: IncomingMessage, response: ServerResponse): Promise<Answer> {
    const { oidc } = this.#options;
    if (oidc === undefined) return NO_PROVIDER;
    const ended = await oidc.end(url.slice(url.split("?")[0]!.length), headers);
    response.appendHeader("set-cookie", oidc.forget);
    if ("problem" in ended) return redirect(problemPath(ended.problem));
    const begun = await this.#begin(ended.token, headers);
    if ("refused" in begun) return redirect(problemPath(begun.refused.status === 503 ? "unavailable" : "rights"));
    response.appendHeader("set-cookie", begun.cookie);
    return redirect(ended.to);
  }

  /** `DELETE /ui/session`, of the session that the page shows where it says so. The cookie counts for nothing any more, whoever kept a copy. The token goes on working elsewhere: revoke it to end that. */
  async signOut({ headers }: IncomingMessage): Promise<Answer> {
    if (!isOwnPage(headers)) return detail(403, "Only the console's own page signs out: send its Origin");
    const removed = { "set-cookie": setCookie("", 0, this.#isSecure(headers)) };
    const session = this.#options.auth ? this.#sessionOf(headers) : undefined;
    if (session !== undefined && this.isOfAnother(headers, session)) return detail(401, OF_ANOTHER);
    try {
      if (session !== undefined) await this.#admin.endSession({}, callOptions(headers, authorizationOf(session)));
    } catch (error) {
      // One that is over already has ended.
      if (ConnectError.from(error).code !== Code.Unauthenticated) return detail(503, NOT_ENDED, removed);
    }
    return { status: 204, body: "", headers: removed };
  }

  /**
   * `POST /ui/session/oidc/backchannel-logout` by the identity provider, with the form field `logout_token`: what it names has ended. Answers as
   * OpenID Connect Back-Channel Logout 1.0 says. No page of ours sends it, and no cookie counts.
   */
  async byProvider(request: IncomingMessage): Promise<Answer> {
    if (this.#options.oidc === undefined) return NO_PROVIDER;
    const body = await readBody(request).catch(tooLarge);
    const isForm = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase() === FORM_TYPE;
    const [logoutToken = "", ...more] =
      isForm && body !== undefined ? new URLSearchParams(body.toString("utf8")).getAll("logout_token") : [];
    if (logoutToken === "" || more.length > 0)
      return refused(400, "invalid_request", `Send one logout_token as ${FORM_TYPE}`);
    try {
      await this.#admin.endSessionsByLogoutToken({ logoutToken }, callOptions(request.headers, undefined));
    } catch (error) {
      const { code, rawMessage } = ConnectError.from(error);
      if (code === Code.InvalidArgument) return refused(400, "invalid_request", rawMessage);
      return { ...refused(503, "temporarily_unavailable", "The platform cannot end sessions now"), headers: AGAIN };
    }
    return { status: 200, body: "", headers: NO_STORE };
  }

  /** Undefined where there is none, or it is over as far as the cookie says. */
  #sessionOf({ cookie }: IncomingHttpHeaders): Session | undefined {
    const sealed = cookieOf(cookie, COOKIE);
    const session = sealed === undefined ? undefined : this.#sealer.open(sealed);
    // A version before gave sessions no id: nobody could end them.
    if (session?.id === undefined || isOver(session, this.#times, this.#now())) return undefined;
    return session;
  }

  #cookie(session: Session, headers: IncomingHttpHeaders): string {
    const left = session.begunMs + this.#times.absoluteMs - session.usedMs;
    return setCookie(this.#sealer.seal(session), Math.min(left, this.#times.idleMs), this.#isSecure(headers));
  }

  /**
   * Whether the page came by TLS, ours or a proxy's, as the browser says. What proxies say (X-Forwarded-Proto) anybody may say, and
   * nothing here is told which proxies to believe.
   */
  #isSecure({ origin, host, "sec-fetch-site": site }: IncomingHttpHeaders): boolean {
    if (this.#options.tls) return true;
    if (origin !== undefined && origin !== "null") return origin.startsWith("https:");
    // Browsers send it by TLS, and without it to this machine alone.
    return site !== undefined && !isLoopback(host ?? "");
  }
}

/** As the services read it: `server/security/authenticate.ts`. */
function authorizationOf({ id, token }: Session): string {
  return `Console ${id} ${token}`;
}

/** As OAuth's clients are told. */
function refused(status: number, error: string, text: string): Answer {
  return { status, body: { error, error_description: text }, headers: NO_STORE };
}

function callOptions(given: IncomingHttpHeaders, authorization: string | undefined): CallOptions {
  const headers = passedOn({ ...(given as Record<string, string | undefined>), authorization });
  return { headers, timeoutMs: TIMEOUT_MS };
}

/** Why a token begins no session. */
function refusalOf(error: unknown): Answer {
  const { code, rawMessage, metadata } = ConnectError.from(error);
  if (code === Code.Unauthenticated) return detail(401, rawMessage);
  if (code === Code.ResourceExhausted)
    return detail(429, rawMessage, { "retry-after": metadata.get("retry-after") ?? "1" });
  return detail(503, "The platform cannot check the token now", { "retry-after": "1" });
}

/** Browsers say of each request where its page is from; older ones give at least the origin. A cookie of a page of another port is not taken. */
export function isOwnPage(headers: IncomingHttpHeaders): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site === "same-origin";
  return headers.origin !== undefined && isOwnOrigin(headers.origin, headers.host ?? "");
}

/** What a window is to show; "empty" where the service worker hands its request on. No script can make a request of the mode itself. */
const SHOWN_BY_WINDOWS: ReadonlySet<string | undefined> = new Set(["document", "empty"]);

/** Whether it is for a window or tab to show, as browsers say it; nothing of ours is shown in a frame. */
export function isNavigation(headers: IncomingHttpHeaders): boolean {
  return headers["sec-fetch-mode"] === "navigate" && SHOWN_BY_WINDOWS.has(headers["sec-fetch-dest"]);
}

function tooLarge(error: unknown): undefined {
  if (!(error instanceof BodyTooLarge)) throw error;
}

/** A credential that goes into a header: printable, without blanks. */
function tokenOf(type: string | undefined, body: Buffer): string | undefined {
  if (type?.split(";")[0]?.trim() !== JSON_TYPE) return undefined;
  try {
    const { token } = JSON.parse(body.toString("utf8")) as { token?: unknown };
    return typeof token === "string" && /^[\x21-\x7e]+$/.test(token.trim()) ? token.trim() : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}
