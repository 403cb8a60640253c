// Builds the console: web/ → dist/web, with compressed copies beside the files, and prints what a browser loads for each page.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { brotliCompressSync, gzipSync, constants as zlib } from "node:zlib";
import { build as bundle } from "esbuild";
import { build } from "vite";
import { folder, STAMP, wantedStamp } from "./console.mjs";
import { root } from "./install.mjs";

/** What the first page may weigh, compressed: more than a second on a slow link is not to be had back. */
const MAX_FIRST_LOAD_BYTES = 150_000;
const ALWAYS = ["index.html", "early.js", "favicon.svg", "manifest.webmanifest"];
/** Beside the page, of what the service worker keeps. */
const KEPT = ["early.js", "favicon.svg", "manifest.webmanifest"];
const MOST_TRIES = 5;
const COMPRESSED = /\.(?:js|css|html|svg|json|webmanifest)$/;

// Under a test runner it would be another, and the console one for its developers.
process.env.NODE_ENV = "production";
const stamp = wantedStamp();
// Another start may build at the same time: each has a folder of its own until it is done.
const out = join(dirname(folder), `.web-${process.pid}`);
try {
  await build({
    configFile: join(root, "web", "vite.config.ts"),
    configLoader: "native",
    logLevel: "warn",
    build: { outDir: out },
  });
  const manifest = takeManifest();
  writeFilesOfPages(manifest);
  await buildEarly();
  await buildWorker();
  report(compress(), manifest);
  writeFileSync(join(out, STAMP), stamp);
  mkdirSync(dirname(folder), { recursive: true });
  replace();
} finally {
  rmSync(out, { recursive: true, force: true });
}

/** Another build may have put its own there in between. */
function replace() {
  for (let tries = 1; ; tries++) {
    rmSync(folder, { recursive: true, force: true });
    try {
      return renameSync(out, folder);
    } catch (error) {
      if (tries === MOST_TRIES || !["ENOTEMPTY", "EEXIST"].includes(error.code)) throw error;
    }
  }
}

/** What the build says of its files; not served. */
function takeManifest() {
  const file = join(out, ".vite", "manifest.json");
  const manifest = JSON.parse(readFileSync(file, "utf8"));
  rmSync(dirname(file), { recursive: true });
  return manifest;
}

/** Files of a part, and of all that it imports at once. */
function partsOf(manifest, name, found = new Set()) {
  const { file, css = [], imports = [] } = manifest[name];
  if (found.has(file)) return found;
  for (const part of [file, ...css]) found.add(part);
  for (const each of imports) partsOf(manifest, each, found);
  return found;
}

/** The script that runs first. */
async function buildEarly() {
  await bundle({
    entryPoints: [join(root, "web", "early", "early.ts")],
    outfile: join(out, "early.js"),
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    logLevel: "warning",
  });
}

/** The files of each page beside those of all, for the gateway: it links them in the page, so that a browser asks for all of them at once. */
function writeFilesOfPages(manifest) {
  const always = partsOf(manifest, "index.html");
  const pages = Object.keys(manifest).flatMap((name) => {
    const [, component] = /^pages\/(\w+)\.svelte$/.exec(name) ?? [];
    return component === undefined ? [] : [[component, [...partsOf(manifest, name).difference(always)]]];
  });
  writeFileSync(join(out, "files-of-pages.json"), JSON.stringify(Object.fromEntries(pages)));
}

/** The service worker, with the names of all files that it keeps: it is another where one of them is. */
async function buildWorker() {
  const files = ["", ...KEPT, ...readdirSync(join(out, "assets")).map((name) => `assets/${name}`)].sort();
  const hash = createHash("sha256").update(readFileSync(join(out, "index.html")));
  for (const name of KEPT) hash.update(readFileSync(join(out, name)));
  await bundle({
    entryPoints: [join(root, "web", "worker", "sw.ts")],
    outfile: join(out, "sw.js"),
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    define: {
      FILES: JSON.stringify(files.map((name) => `/ui/${name}`)),
      VERSION: JSON.stringify(hash.update(files.join("\n")).digest("hex").slice(0, 16)),
    },
    logLevel: "warning",
  });
}

/** Bytes of each file as brotli, by name. */
function compress() {
  const sizes = new Map();
  for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !COMPRESSED.test(entry.name)) continue;
    const file = join(entry.parentPath, entry.name);
    const bytes = readFileSync(file);
    const brotli = brotliCompressSync(bytes, { params: { [zlib.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
    writeFileSync(`${file}.br`, brotli);
    writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
    sizes.set(file.slice(out.length + 1), brotli.length);
  }
  return sizes;
}

/** What a browser loads before it shows a page: the document, the entry, the page's own part, and all that these import at once. */
function report(sizes, manifest) {
  const always = [...ALWAYS, manifest["style.css"].file, ...partsOf(manifest, "index.html")];
  const weigh = (parts) => [...new Set(parts)].reduce((sum, part) => sum + (sizes.get(part) ?? 0), 0);
  const pages = Object.keys(manifest).filter((name) => manifest[name].isDynamicEntry);
  const weights = pages
    .map((name) => [name, weigh([...always, ...partsOf(manifest, name)])])
    .sort(([, a], [, b]) => b - a);
  for (const [name, bytes] of weights) console.log(`  ${name.padEnd(28)} ${kilobytes(bytes)} to load first`);
  const total = [...sizes.values()].reduce((a, b) => a + b);
  console.log(
    `  every page needs ${kilobytes(weigh(always))}, all together are ${kilobytes(total)}, compressed by brotli`,
  );
  const [[worst, most]] = weights;
  if (most > MAX_FIRST_LOAD_BYTES)
    throw new Error(`${worst} loads ${kilobytes(most)} first; at most ${kilobytes(MAX_FIRST_LOAD_BYTES)} are allowed.`);
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
