/** The next page of a list: the answer is a bare array, so that a header (RFC 8288) says where to go on. */
import type { Route } from "./routes.ts";

export const PAGE_TOKEN = "page_token";
/** The token stands behind what it skipped already. */
const OFFSET = "offset";

/** The header's value: a reference, relative to the request, with the same filters and limit. */
export function nextLink(route: Route, query: URLSearchParams, token: string): string {
  const next = new URLSearchParams();
  for (const { name, where, field } of route.parameters) {
    const all = query.getAll(name);
    const given = field.fieldKind === "list" ? all : all.slice(-1);
    if (where === "query" && name !== OFFSET && name !== PAGE_TOKEN) for (const each of given) next.append(name, each);
  }
  next.set(PAGE_TOKEN, token);
  return `<${route.path}?${next}>; rel="next"`;
}
