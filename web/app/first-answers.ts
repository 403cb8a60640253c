/** Answers of the page's first calls, which the gateway has put into the page: a call that finds its answer here does not go over the network. */
import { FIRST_ANSWERS, type FirstAnswer, type FirstAnswers, SESSION_HEADER } from "../../formats/console-page.ts";

const element = document.getElementById(FIRST_ANSWERS);
/** Also where the page comes from the service worker, or from a gateway that could not ask. */
const NONE: FirstAnswers = { answers: [] };
const { session, answers }: FirstAnswers = element === null ? NONE : JSON.parse(element.textContent);
const byPath = new Map<string, FirstAnswer>(answers.map((each) => [each.path, each]));

/** The answer of a call, once: asked again, or for something else, the platform is asked. */
export function takeFirst(path: string, body: Uint8Array): Response | undefined {
  const found = byPath.get(path);
  byPath.delete(path);
  if (found === undefined || found.request !== btoa(String.fromCharCode(...body))) return undefined;
  const bytes = Uint8Array.from(atob(found.answer), (each) => each.charCodeAt(0));
  const headers = { "content-type": found.type, ...(session === undefined ? {} : { [SESSION_HEADER]: session }) };
  return new Response(bytes, { headers });
}
