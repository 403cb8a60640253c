/**
 * Signing in at an identity provider: OpenID Connect's authorization code flow with PKCE. The ID token that comes of it is the
 * credential of the session, as a pasted token is; the services check it, and what its claims allow, with each call.
 */
import type { IncomingHttpHeaders } from "node:http";
import * as oidc from "openid-client";
import type { Logger } from "pino";
import { isLoopback } from "../../server/lib/authority.ts";
import type { Answer } from "../http.ts";
import { cookieOf, Sealer } from "./cookie.ts";

export interface OidcSignIn {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  /** Of this console as browsers see it: …/ui/session/oidc/callback. */
  readonly redirectUrl: string;
  /** Asked for, with blanks between. */
  readonly scopes: string;
}

export const BEGIN_PATH = "/ui/session/oidc";
/** Where the provider says that somebody signed out there. */
export const LOGOUT_PATH = "/ui/session/oidc/backchannel-logout";
export const CALLBACK_PATH = "/ui/session/oidc/callback";
const COOKIE = "telltale-sign-in";
/** For a person to find a second factor. */
const FLOW_MS = 10 * 60_000;
const TIMEOUT_SECONDS = 5;

/** Why nobody is signed in, as the page of the console is told. */
export type OidcProblem = "denied" | "expired" | "unavailable" | "failed";

/** What a browser keeps while its person is at the provider, sealed. */
interface Flow {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** Where the console is gone to afterwards. */
  readonly to: string;
  readonly begunMs: number;
}

export type Ended = { readonly token: string; readonly to: string } | { readonly problem: OidcProblem };

export class OidcFlow {
  readonly #options: OidcSignIn;
  readonly #sealer: Sealer;
  readonly #logger: Logger;
  readonly #now: () => number;
  #provider: Promise<oidc.Configuration> | undefined;

  constructor(options: OidcSignIn, secret: string | undefined, logger: Logger, nowMs: () => number = Date.now) {
    this.#options = options;
    this.#sealer = new Sealer(secret, "telltale console sign-in");
    this.#logger = logger;
    this.#now = nowMs;
  }

  /** What the button says. */
  get name(): string {
    return new URL(this.#options.issuer).host;
  }

  /** Leads the browser to the provider. @param to an address of the console */
  async begin(to: string): Promise<Answer> {
    const { redirectUrl: redirect_uri, scopes: scope } = this.#options;
    try {
      const provider = await this.#discovered();
      const [state, nonce, verifier] = [oidc.randomState(), oidc.randomNonce(), oidc.randomPKCECodeVerifier()];
      const challenge = {
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
      };
      const address = oidc.buildAuthorizationUrl(provider, { redirect_uri, scope, state, nonce, ...challenge });
      const sealed = this.#sealer.seal({
        state,
        nonce,
        verifier,
        to: ownPath(to),
        begunMs: this.#now(),
      } satisfies Flow);
      return redirect(address.href, this.#cookie(sealed, FLOW_MS));
    } catch (error) {
      this.#logger.warn({ err: error }, "the identity provider cannot be asked");
      return redirect(problemPath("unavailable"));
    }
  }

  /** @param search the query that the provider led the browser back with */
  async end(search: string, headers: IncomingHttpHeaders): Promise<Ended> {
    const sealed = cookieOf(headers.cookie, COOKIE);
    const flow = sealed === undefined ? undefined : this.#sealer.open<Flow>(sealed);
    if (flow === undefined || this.#now() - flow.begunMs > FLOW_MS) return { problem: "expired" };
    try {
      const checks = { pkceCodeVerifier: flow.verifier, expectedState: flow.state, expectedNonce: flow.nonce };
      const address = new URL(search, this.#options.redirectUrl);
      const tokens = await oidc.authorizationCodeGrant(await this.#discovered(), address, {
        ...checks,
        idTokenExpected: true,
      });
      return { token: tokens.id_token!, to: flow.to };
    } catch (error) {
      // What the provider says for the person; everything else is for the log.
      const isDenied = error instanceof oidc.AuthorizationResponseError && error.error === "access_denied";
      this.#logger.warn({ err: error }, "nobody was signed in");
      return { problem: isDenied ? "denied" : "failed" };
    }
  }

  /** Removes what the browser kept. */
  get forget(): string {
    return this.#cookie("", 0);
  }

  /** One that could not be reached is asked again by the next who signs in. */
  #discovered(): Promise<oidc.Configuration> {
    this.#provider ??= this.#discover().catch((error: unknown) => {
      this.#provider = undefined;
      throw error;
    });
    return this.#provider;
  }

  #discover(): Promise<oidc.Configuration> {
    const { issuer, clientId, clientSecret } = this.#options;
    const server = new URL(issuer);
    // The settings allow http for this machine alone.
    const execute = server.protocol === "http:" && isLoopback(server.hostname) ? [oidc.allowInsecureRequests] : [];
    const own = clientSecret === undefined ? oidc.None() : undefined;
    return oidc.discovery(server, clientId, clientSecret, own, { execute, timeout: TIMEOUT_SECONDS });
  }

  /** Lax: the browser comes back from another site. It is worth nothing without the code that comes with it. */
  #cookie(value: string, maxAgeMs: number): string {
    const secure = this.#options.redirectUrl.startsWith("https:") ? "; Secure" : "";
    return `${COOKIE}=${value}; Path=${BEGIN_PATH}; Max-Age=${maxAgeMs / 1_000}; HttpOnly; SameSite=Lax${secure}`;
  }
}

/** A page of this console; anything else would make the sign-in lead anywhere. */
function ownPath(to: string): string {
  return /^\/ui\/(?![/\\])[\x21-\x7e]*$/.test(to) ? to : "/ui/";
}

export function problemPath(problem: OidcProblem | "rights"): string {
  return `/ui/?sign_in=${problem}`;
}

export function redirect(location: string, cookie?: string): Answer {
  const headers = { location, "cache-control": "no-store" };
  return { status: 303, body: "", headers: cookie === undefined ? headers : { ...headers, "set-cookie": cookie } };
}
