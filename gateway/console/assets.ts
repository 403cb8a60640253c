/** The console's files below /ui/, as its build left them in dist/web: nothing comes from elsewhere. */
import { readdir, readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { codingOf } from "../compress.ts";
import { type Answer, decodePath } from "../http.ts";

const FOLDER = new URL("../../dist/web/", import.meta.url);
/** Names below it contain a hash of what is in them. */
const HASHED = "assets/";
const PAGE = "index.html";
/** Written by the build: files of each page beside those of all, by the name of its component. */
const FILES_OF_PAGES = "files-of-pages.json";
const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};
/** Endings of what the build has compressed already. */
const CODED: Readonly<Record<string, string>> = { ".br": "br", ".gz": "gzip" };

/** Scripts, styles and connections of this origin alone, no inline ones, and nobody frames it. */
export const POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "manifest-src 'self'",
  "object-src 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types svelte-trusted-html telltale-worker",
  "worker-src 'self'",
].join("; ");

const PLAIN: Readonly<Record<string, string>> = { "x-content-type-options": "nosniff" };
/** Of a page; for what it loads they mean nothing, and would be a quarter of the bytes of a small file. */
export const SECURITY: Readonly<Record<string, string>> = {
  "content-security-policy": POLICY,
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "same-origin",
  ...PLAIN,
};

interface Asset {
  readonly type: string;
  readonly plain: Buffer;
  /** By coding. */
  readonly coded: ReadonlyMap<string, Buffer>;
}

let files: Promise<ReadonlyMap<string, Asset>> | undefined;

/** Whether the console is built. */
export async function hasConsole(): Promise<boolean> {
  return (await load()).has(PAGE);
}

/** The file at a path below /ui/, as it stands in an address; undefined: it is the path of a page. */
export async function consoleAsset(address: string, accepted: string | undefined): Promise<Answer | undefined> {
  const path = decodePath(address) ?? "";
  if (path === PAGE) return undefined;
  const found = (await load()).get(path);
  if (found !== undefined) return answerOf(path, found, accepted);
  // A missing file is not a page: a script that is an HTML document fails in ways that nobody understands.
  return isFile(address) ? NO_FILE : undefined;
}

export interface BuiltPage {
  readonly html: string;
  readonly files: Readonly<Record<string, readonly string[]>>;
}

/** What all pages are made of; undefined where the console is not built. */
export async function consolePage(): Promise<BuiltPage | undefined> {
  const all = await load();
  const [html, files] = [PAGE, FILES_OF_PAGES].map((name) => all.get(name)?.plain.toString("utf8"));
  return html === undefined || files === undefined ? undefined : { html, files: JSON.parse(files) };
}

/** Files are in one folder, and beside the page. Further down are pages, which may be of a sensor that is called `line-3.js`. */
function isFile(address: string): boolean {
  return address.startsWith(HASHED) || (!address.includes("/") && extname(address) in TYPES);
}

const NO_FILE: Answer = {
  status: 404,
  body: "The console has no such file. After an upgrade, load the page again.\n",
  headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-cache", ...SECURITY },
};

export const NOT_BUILT: Answer = {
  status: 503,
  body: "The console is not built here: start the platform with `npm start`, or run `npm run build:console`.\n",
  headers: { "content-type": "text/plain; charset=utf-8" },
};

function answerOf(name: string, { type, plain, coded }: Asset, accepted: string | undefined): Answer {
  const coding = codingOf(accepted ?? "");
  const bytes = coding === undefined ? undefined : coded.get(coding);
  const headers = {
    "content-type": type,
    "cache-control": name.startsWith(HASHED) ? "public, max-age=31536000, immutable" : "no-cache",
    vary: "Accept-Encoding",
    // A picture may be opened as a page.
    ...(name.startsWith(HASHED) && !name.endsWith(".svg") ? PLAIN : SECURITY),
    ...(bytes === undefined ? {} : { "content-encoding": coding! }),
  };
  return { status: 200, body: bytes ?? plain, headers };
}

/** Sends an answer's bytes as they are: they are compressed already. */
export function sendAsset(response: ServerResponse, { status, body, headers }: Answer): void {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(String(body));
  const { vary, ...more } = headers ?? {};
  if (vary !== undefined) response.appendHeader("vary", vary);
  response.writeHead(status, { ...more, "content-length": bytes.length });
  response.end(bytes);
}

/** Some hundred kilobytes, read once there are any. */
async function load(): Promise<ReadonlyMap<string, Asset>> {
  files ??= readAll();
  const found = await files;
  if (!found.has(PAGE)) files = undefined;
  return found;
}

async function readAll(): Promise<ReadonlyMap<string, Asset>> {
  const root = fileURLToPath(FOLDER);
  const contents = new Map<string, Buffer>();
  for (const entry of await entriesOf(root)) contents.set(entry, await readFile(join(root, entry)));
  const plain = [...contents].filter(([name]) => extname(name) in TYPES);
  return new Map(
    plain.map(([name, bytes]) => {
      const coded = Object.entries(CODED).flatMap(([ending, coding]): [string, Buffer][] => {
        const found = contents.get(name + ending);
        return found === undefined ? [] : [[coding, found]];
      });
      return [name, { type: TYPES[extname(name)]!, plain: bytes, coded: new Map(coded) }];
    }),
  );
}

/** Paths of all files, with slashes; none where the folder is missing. */
async function entriesOf(root: string): Promise<string[]> {
  try {
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    const found = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    return found.map((file) => relative(root, file).split(sep).join("/"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
