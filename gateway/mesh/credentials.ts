/**
 * Whether a request's credential is any good is found out by its first call, not by all of them: an operation may have twenty root fields
 * and a batch ten operations, and every one of their calls would be refused by itself. A credential that was accepted lately is not asked
 * about again, so that its calls go side by side.
 */
import { createHash } from "node:crypto";
import { Code } from "@connectrpc/connect";
import type { CallContext } from "./call.ts";
import { UpstreamError } from "./errors.ts";

/** Remembered as accepted: 1 MB. */
const MAX_ACCEPTED = 10_000;
/** What anybody may call says nothing of a credential. */
const PUBLIC: ReadonlySet<string> = new Set(["QueryService.GetPlatformHealth"]);

type Refusal = UpstreamError | undefined;

export class Credentials {
  /** By a hash: a secret is nothing to keep. */
  readonly #accepted = new Set<string>();
  /** By request: what its first call says of its credential. */
  readonly #verdicts = new WeakMap<object, Promise<Refusal>>();

  /** @param request the same object for all calls of a request */
  async call<T>(rpc: string, request: object, { headers }: CallContext, make: () => Promise<T>): Promise<T> {
    if (PUBLIC.has(rpc)) return make();
    const credential = createHash("sha256")
      .update(headers.authorization ?? "")
      .digest("base64url");
    if (this.#accepted.has(credential)) return this.#make(credential, make).made;
    const verdict = this.#verdicts.get(request);
    if (verdict === undefined) {
      const { made, refusal } = this.#make(credential, make);
      this.#verdicts.set(request, refusal);
      return made;
    }
    // Those that wait for the first call go side by side then, whatever became of it, unless the credential is refused.
    const refusal = await verdict;
    if (refusal !== undefined) throw refusal;
    return this.#make(credential, make).made;
  }

  #make<T>(credential: string, make: () => Promise<T>): { made: Promise<T>; refusal: Promise<Refusal> } {
    const made = make();
    const refusal = made.then(
      () => this.#accept(credential),
      (error: unknown) => this.#refusal(credential, error),
    );
    return { made, refusal };
  }

  #accept(credential: string): undefined {
    if (this.#accepted.has(credential)) return;
    if (this.#accepted.size >= MAX_ACCEPTED) this.#accepted.clear();
    this.#accepted.add(credential);
  }

  #refusal(credential: string, error: unknown): Refusal {
    if (!(error instanceof UpstreamError) || error.code !== Code.Unauthenticated) return undefined;
    this.#accepted.delete(credential);
    return error;
  }
}
