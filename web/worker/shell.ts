/**
 * The console's own files, so that it opens without the platform. Files that are named by their contents are taken from the cache, the page
 * and what stands beside it from the platform while that answers. Nothing of the services is kept.
 */

const PREFIX = "telltale-";
const PAGE = "/ui/";
const HASHED = "/ui/assets/";
/** Answers of a proxy that does not reach the platform. */
const NOT_REACHED: ReadonlySet<number> = new Set([502, 504]);
/** Of the six connections that a browser has for all pages of the console. */
const AT_ONCE = 2;
/** A page that is still open may load parts of the version before. */
const KEPT_BEFORE = 1;

export class Shell {
  readonly #name: string;
  /** Paths, with the page. */
  readonly #files: readonly string[];

  constructor(version: string, files: readonly string[]) {
    this.#name = PREFIX + version;
    this.#files = files;
  }

  has(path: string): boolean {
    return this.#files.includes(path);
  }

  /** All of them, or it fails and the version before stays. */
  async install(): Promise<void> {
    const cache = await caches.open(this.#name);
    const waiting = [...this.#files];
    const load = async () => {
      for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) await cache.add(file);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, load));
  }

  async forgetOld(): Promise<void> {
    // In the order in which they were made.
    const older = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== this.#name);
    await Promise.all(older.slice(0, -KEPT_BEFORE).map((name) => caches.delete(name)));
  }

  /** Undefined: the browser asks for it as ever. */
  answer(request: Request): Promise<Response> | undefined {
    const { origin, pathname } = new URL(request.url);
    if (request.method !== "GET" || origin !== location.origin || !pathname.startsWith(PAGE)) return undefined;
    if (pathname.startsWith(HASHED)) return cachedFirst(request);
    if (request.mode === "navigate") return this.#networkFirst(request, PAGE);
    return this.has(pathname) ? this.#networkFirst(request, pathname) : undefined;
  }

  async #networkFirst(request: Request, path: string): Promise<Response> {
    const kept = async () => (await caches.open(this.#name)).match(path);
    try {
      const answer = await fetch(request);
      return NOT_REACHED.has(answer.status) ? ((await kept()) ?? answer) : answer;
    } catch (error) {
      const found = await kept();
      if (found === undefined) throw error;
      return found;
    }
  }
}

async function cachedFirst(request: Request): Promise<Response> {
  return (await caches.match(request.url)) ?? fetch(request);
}
