/** Links that templates for an Alertmanager make, with its pages behind a `#`: they lead to the console's own pages. */

/** An address below /ui; undefined where the fragment is none of Alertmanager's. @param hash with its `#`, as the browser gives it */
export function placeOfFragment(hash: string): string | undefined {
  const [, page, query = ""] = /^#\/(silences\/new|silences|alerts)(?:\/[\w-]*)?(?:\?(.*))?$/s.exec(hash) ?? [];
  if (page !== "silences/new") return page && `/${page}`;
  const [, filter] = /(?:^|&)filter=([^&]*)/s.exec(query) ?? [];
  return filter ? `/${page}?${new URLSearchParams({ filter: decoded(filter) })}` : `/${page}`;
}

/** Templates put values into it as they are: one with a percent sign is no encoding. */
function decoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch (error) {
      if (error instanceof URIError) return escapes;
      throw error;
    }
  });
}
