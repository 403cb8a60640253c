/** /docs, /redoc and what they load, all from this installation: the pages work with no network. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { keep } from "../compress.ts";
import type { Answer } from "../http.ts";
import { TITLE } from "../rest/openapi.ts";

const require = createRequire(import.meta.url);

const HTML = { "content-type": "text/html; charset=utf-8" };
/** Nothing from elsewhere, whatever a bundle would like to load. */
const LOCAL_ONLY = {
  "content-security-policy":
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src blob:",
};

const SWAGGER = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${TITLE} - Swagger UI</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="icon" href="/docs/favicon-32x32.png"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null });</script>
</body></html>`;

const REDOC = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${TITLE} - ReDoc</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/docs/favicon-32x32.png"><style>body { margin: 0; }</style></head>
<body><redoc spec-url="/openapi.json"></redoc>
<script src="/redoc/redoc.standalone.js"></script>
</body></html>`;

const FILES: Readonly<Record<string, readonly [module: string, type: string]>> = {
  "/docs/swagger-ui.css": ["swagger-ui-dist/swagger-ui.css", "text/css; charset=utf-8"],
  "/docs/swagger-ui-bundle.js": ["swagger-ui-dist/swagger-ui-bundle.js", "text/javascript; charset=utf-8"],
  "/docs/favicon-32x32.png": ["swagger-ui-dist/favicon-32x32.png", "image/png"],
  "/redoc/redoc.standalone.js": ["redoc/bundles/redoc.standalone.js", "text/javascript; charset=utf-8"],
};

/** The one thing that a bundle fetches from elsewhere: ReDoc's logo. In its place an empty picture. */
const ELSEWHERE = "https://cdn.redoc.ly/redoc/logo-mini.svg";
const NOTHING = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=";

/** The page or file of a path, or undefined. */
export async function docsPage(path: string): Promise<Answer | undefined> {
  if (path === "/docs") return { status: 200, body: SWAGGER, headers: { ...HTML, ...LOCAL_ONLY } };
  if (path === "/redoc") return { status: 200, body: REDOC, headers: { ...HTML, ...LOCAL_ONLY } };
  const file = FILES[path];
  if (file === undefined) return undefined;
  const [module, type] = file;
  const read = contents.get(path) ?? readOnce(module);
  contents.set(path, read);
  return { status: 200, body: await read, headers: { "content-type": type, "cache-control": "max-age=86400" } };
}

/** Some two megabytes, from the first time that somebody asks for them. */
const contents = new Map<string, Promise<Buffer>>();

async function readOnce(module: string): Promise<Buffer> {
  const content = await readFile(require.resolve(module));
  return keep(module.endsWith(".js") ? Buffer.from(content.toString("utf8").replaceAll(ELSEWHERE, NOTHING)) : content);
}

/** Every path that docsPage answers. */
export const DOCS_PATHS: ReadonlySet<string> = new Set(["/docs", "/redoc", ...Object.keys(FILES)]);
