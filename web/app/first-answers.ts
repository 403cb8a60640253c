/** Answers of the page's first calls, which the gateway has put into the page: a call that finds its answer here does not go over the network. */
import { type FirstAnswer, type FirstAnswers, SESSION_HEADER } from "../../formats/console-page.ts";

export class FirstAnswerStore {
  /** Absent where nobody signs in. */
  readonly #session: string | undefined;
  readonly #byCall: Map<string, FirstAnswer>;

  constructor({ session, answers }: FirstAnswers) {
    this.#session = session;
    this.#byCall = new Map(answers.map((each) => [keyOf(each.path, each.request), each]));
  }

  /**
   * The answer of a call, once: asked again, or for something else, the platform is asked.
   *
   * @param session that the call is made in, "" where nobody signs in: what was answered in another is nothing for it. Undefined: the call finds out
   */
  take(path: string, body: Uint8Array, session?: string): Response | undefined {
    const given = this.#session ?? "";
    if (session !== undefined && session !== given) return undefined;
    const key = keyOf(path, btoa(String.fromCharCode(...body)));
    const found = this.#byCall.get(key);
    if (found === undefined) return undefined;
    this.#byCall.delete(key);
    const bytes = Uint8Array.from(atob(found.answer), (each) => each.charCodeAt(0));
    const headers = { "content-type": found.type, ...(given === "" ? {} : { [SESSION_HEADER]: given }) };
    return new Response(bytes, { headers });
  }

  /** What nobody has asked for is too old by now. */
  forget(): void {
    this.#byCall.clear();
  }
}

/** Two pages may ask the same of the platform, each in its own way. */
function keyOf(path: string, request: string): string {
  return `${path} ${request}`;
}
