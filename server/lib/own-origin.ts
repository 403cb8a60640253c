/** Whether a page's origin is that of the listener that it calls. The scheme is not compared: behind a proxy that ends TLS, ours is another. */
export function isOwnOrigin(origin: string, host: string): boolean {
  for (const scheme of ["http:", "https:"]) {
    const [page, own] = [`${origin}/`, `${scheme}//${host}/`].map((url) =>
      URL.canParse(url) ? new URL(url) : undefined,
    );
    if (page?.protocol === scheme && own !== undefined && page.host === own.host) return true;
  }
  return false;
}
