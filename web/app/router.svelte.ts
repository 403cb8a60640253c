/** Where the person is: the path below /ui and the query, both in the address, so that a link shows what its sender saw. */
import { rangeMs } from "../chart/range.ts";
import { placeOfFragment } from "./alertmanager-links.ts";

export const BASE = "/ui";

class Place {
  path = $state("/");
  query = $state.raw(new URLSearchParams());
  /** Whether somebody has just gone to another page: its heading takes the focus, for whoever hears the page instead of seeing it. */
  arriving = false;
}

export const place = new Place();

/** An address of the console. @param path below /ui, beginning with a slash */
export function hrefOf(path: string, query: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => (entry[1] ?? "") !== "");
  const text = new URLSearchParams(given).toString();
  return `${BASE}${path}${text === "" ? "" : `?${text}`}`;
}

export function goTo(href: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, "", href);
  else history.pushState(null, "", href);
  read();
}

/** Changes some of the query; undefined or "" removes. In place: each letter of a search is no place to go back to. */
export function setQuery(changes: Readonly<Record<string, string | undefined>>, { replace = true } = {}): void {
  const query = new URLSearchParams(place.query);
  for (const [name, value] of Object.entries(changes)) {
    if ((value ?? "") === "") query.delete(name);
    else query.set(name, value!);
  }
  const text = query.toString();
  goTo(`${BASE}${place.path}${text === "" ? "" : `?${text}`}`, { replace });
}

export function queryOf(name: string): string {
  return place.query.get(name) ?? "";
}

/** What the address says of one thing of a page, and what is shown. */
export interface Choice<T extends string> {
  readonly value: T;
  /** Where the address has something that is none of the known ones. */
  readonly unknown?: { readonly name: string; readonly text: string };
}

/** One of the known values, or the first of them where the address has none or another. */
export function choiceOf<const T extends string>(name: string, known: readonly [T, ...T[]]): Choice<T> {
  const text = queryOf(name);
  const value = known.find((each) => each === text);
  if (value !== undefined) return { value };
  return text === "" ? { value: known[0] } : { value: known[0], unknown: { name, text } };
}

/** The name of a range and its milliseconds, such as 24h; the fallback where the address has none that can be shown. */
export function rangeChoice(fallback: string): Choice<string> & { readonly ms: number } {
  const text = queryOf("range");
  const ms = rangeMs(text);
  if (ms !== undefined) return { value: text, ms };
  const shown = { value: fallback, ms: rangeMs(fallback)! };
  return text === "" ? shown : { ...shown, unknown: { name: "range", text } };
}

function read(): void {
  const { pathname, search } = location;
  const path = pathname.startsWith(BASE) ? pathname.slice(BASE.length) : pathname;
  const next = path === "" ? "/" : path.replace(/(.)\/+$/, "$1");
  place.arriving = next !== place.path;
  place.path = next;
  place.query = new URLSearchParams(search);
}

/** Follows links of the console without loading it anew. Answers with a function that ends it. */
export function startRouter(): () => void {
  const onClick = (event: MouseEvent) => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = (event.target as Element).closest("a");
    if (link === null || link.target !== "" || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.pathname !== BASE && !link.pathname.startsWith(`${BASE}/`)) return;
    event.preventDefault();
    if (link.href === location.href) return;
    goTo(link.href);
    window.scrollTo(0, 0);
  };
  document.addEventListener("click", onClick);
  window.addEventListener("popstate", read);
  const linked = placeOfFragment(location.hash);
  if (linked === undefined) read();
  else goTo(`${BASE}${linked}`, { replace: true });
  place.arriving = false;
  return () => {
    document.removeEventListener("click", onClick);
    window.removeEventListener("popstate", read);
  };
}
