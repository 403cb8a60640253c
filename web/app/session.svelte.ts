/** Who is signed in, and what they may do: pages offer nothing that would be refused. */
import { Code, ConnectError } from "@connectrpc/connect";
import { GET_CALLER } from "../../formats/console-page.ts";
import { type Problem, problemOf } from "./problems.ts";
import { bindTo, boundHeaders, callByJson, onCallError } from "./transport.ts";

/** GetCallerResponse in JSON, which leaves out what is empty. */
interface Caller {
  readonly name: string;
  readonly scopes?: readonly string[];
  readonly sensorPrefix?: string;
  readonly authenticated?: boolean;
}

type State = "asking" | "signed-out" | "signed-in" | "unreachable";

/** A page that somebody looks at keeps its session. */
const KEEP_MS = 5 * 60_000;
const RETRY_MS = 3_000;
/** A session that is refused again so soon after the platform has named it is good for nothing, as where gateways have different secrets. */
const REFUSED_AGAIN_MS = 10_000;
/** The tabs of a browser have one cookie: one that finds another session there tells the others. */
const CHANNEL = "telltale-session";

/** Of the query, where the identity provider signed nobody in. */
const PROBLEM = "sign_in";
const PROBLEMS: Readonly<Record<string, string>> = {
  denied: "The identity provider did not let you in, or you went back. Try again, or ask an administrator.",
  expired: "Signing in took too long, or this browser keeps no cookies. Try again.",
  unavailable: "The identity provider does not answer. Try again, or sign in with a token.",
  rights: "The identity provider knows you, and nothing says what you may do here. Ask an administrator.",
  failed: "Signing in has failed. Try again; an administrator finds the reason in the log.",
};

class Session {
  state = $state<State>("asking");
  /** Of the session; "" where nobody signs in. Another person has another, and so has the same one who signs in again. */
  id = $state("");
  name = $state("");
  /** Whether callers have to say who they are. */
  required = $state(false);
  sensorPrefix = $state("");
  problem = $state.raw<Problem>();
  #scopes = $state.raw<ReadonlySet<string>>(new Set());
  #channel: BroadcastChannel | undefined;
  /** Counts questions: the answer of the newest counts. */
  #asked = 0;
  /** When a call was refused last, by `performance.now()`. */
  #refusedMs = Number.NEGATIVE_INFINITY;
  readonly #before = new Set<() => Promise<unknown>>();
  readonly #after = new Set<() => void>();

  /** For what this person still wants done before they sign out. */
  beforeSignOut(act: () => Promise<unknown>): void {
    this.#before.add(act);
  }

  /** For what the next person must not find, however the session ended. */
  afterEnd(forget: () => void): void {
    this.#after.add(forget);
  }

  #end(): void {
    // An answer that is under way is of before.
    this.#asked++;
    if (this.state === "signed-out") return;
    this.state = "signed-out";
    this.id = "";
    bindTo("");
    for (const forget of this.#after) forget();
  }

  /** The session of before counts no more: nothing of it stays, and who is signed in now is asked for. */
  #change(): void {
    this.#end();
    this.state = "asking";
    void this.ask();
  }

  /** A call of this session was refused, so the browser is in another, or in none. */
  #lose(): void {
    const isAgain = performance.now() - this.#refusedMs < REFUSED_AGAIN_MS;
    this.#refusedMs = performance.now();
    if (isAgain) this.#end();
    else this.#change();
  }

  get mayOperate(): boolean {
    return this.#scopes.has("SCOPE_OPERATE") || this.isAdmin;
  }
  get mayIngest(): boolean {
    return this.#scopes.has("SCOPE_INGEST") || this.isAdmin;
  }
  get mayRead(): boolean {
    return this.#scopes.has("SCOPE_READ") || this.isAdmin;
  }
  get isAdmin(): boolean {
    return this.#scopes.has("SCOPE_ADMIN");
  }
  /** Whether it may see and do what concerns the platform as a whole: tokens, the audit record, the configuration of notifications. */
  get mayAdminister(): boolean {
    return this.isAdmin && this.isWhole;
  }

  /** Whether what concerns all sensors may be asked for. */
  get isWhole(): boolean {
    return this.sensorPrefix === "";
  }

  async ask(): Promise<void> {
    const turn = ++this.#asked;
    try {
      const { answer, session } = await callByJson<Caller>(GET_CALLER);
      if (turn !== this.#asked) return;
      if (this.state === "signed-in" && session !== this.id) this.#end();
      this.id = session;
      bindTo(session);
      this.name = answer.name;
      this.sensorPrefix = answer.sensorPrefix ?? "";
      this.required = answer.authenticated ?? false;
      this.#scopes = new Set(answer.scopes);
      this.problem = undefined;
      this.state = "signed-in";
      this.#channel?.postMessage(session);
    } catch (error) {
      if (turn === this.#asked) this.#refused(error);
    }
  }

  /** @returns why not, in a sentence */
  async signIn(token: string): Promise<string | undefined> {
    const body = JSON.stringify({ token });
    const answer = await fetch("/ui/session", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    }).catch(() => undefined);
    if (answer === undefined) return "The platform does not answer. Check the network, then try again.";
    if (!answer.ok) return refusalOf(answer.status, (await answer.json().catch(() => ({}))) as { detail?: string });
    await this.ask();
    return undefined;
  }

  /** What the identity provider is called, where there is one to sign in with. */
  async provider(): Promise<string | undefined> {
    const answer = await fetch("/ui/session").catch(() => undefined);
    if (answer?.ok !== true) return undefined;
    const { oidc } = (await answer.json()) as { oidc: { name: string } | null };
    return oidc?.name;
  }

  /** Leaves the console for the identity provider, which leads back to where the person was. */
  toProvider(): void {
    const here = new URL(location.href);
    here.searchParams.delete(PROBLEM);
    location.assign(`/ui/session/oidc?${new URLSearchParams({ to: here.pathname + here.search })}`);
  }

  /** Why the identity provider signed nobody in, in a sentence; undefined where it was not asked. */
  providerProblem(): string | undefined {
    const code = new URLSearchParams(location.search).get(PROBLEM);
    return code === null ? undefined : (PROBLEMS[code] ?? PROBLEMS.failed);
  }

  /** Ends the session that this page shows, and no other: whoever has signed in meanwhile in another tab stays. */
  async signOut(): Promise<void> {
    const { id } = this;
    const headers = boundHeaders();
    await Promise.allSettled([...this.#before].map((act) => act()));
    const answer = await fetch("/ui/session", { method: "DELETE", headers }).catch(() => undefined);
    // Without an answer the browser still has its cookie.
    if (answer === undefined) throw new ConnectError("The browser has no connection", Code.Unavailable);
    if (answer.status === 401) {
      // A call may have found it out before.
      if (this.id === id) this.#change();
      return;
    }
    this.#end();
    this.#channel?.postMessage("");
    if (!answer.ok)
      throw new ConnectError(((await answer.json()) as { detail: string }).detail, Code.FailedPrecondition);
  }

  /** Answers with a function that ends it. */
  start(): () => void {
    this.#channel = new BroadcastChannel(CHANNEL);
    this.#channel.onmessage = ({ data }: MessageEvent<string>) => {
      if (data !== this.id) this.#change();
    };
    void this.ask();
    const stop = onCallError((error) => {
      if (this.state === "signed-in" && ConnectError.from(error).code === Code.Unauthenticated) this.#lose();
    });
    const timer = setInterval(() => {
      if (this.state === "signed-in" && this.required && !document.hidden) void this.ask();
    }, KEEP_MS);
    return () => {
      stop();
      clearInterval(timer);
      this.#channel?.close();
    };
  }

  #refused(error: unknown): void {
    if (ConnectError.from(error).code === Code.Unauthenticated) {
      this.required = true;
      this.#end();
      return;
    }
    if (this.state === "signed-in") return; // the pages say so themselves
    this.problem = problemOf(error, "The console");
    this.state = "unreachable";
    setTimeout(() => void this.ask(), RETRY_MS);
  }
}

function refusalOf(status: number, { detail }: { detail?: string }): string {
  if (status === 401)
    return "No token of this platform is that. Check for missing characters, or ask an administrator for a new one.";
  if (status === 429) return "Too many attempts. Wait a minute, then try again.";
  return detail ?? `The platform answered ${status}.`;
}

export const session = new Session();
