import { fileURLToPath } from "node:url";
import { svelte, vitePreprocess } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const SERVICES_APART = ["admin", "detector", "incident", "notification", "query", "registry", "report", "watch"];
/** What every page calls with. */
const WIRE =
  /[\\/]node_modules[\\/]@(?:bufbuild|connectrpc)[\\/]|[\\/]web[\\/]app[\\/](?:first-answers|transport|services[\\/]alert)\.ts$|[\\/]v1[\\/](?:alert|reading)_pb\.ts$/;

/** All but what has a contract with it that is a file of its own. */
const SHARED =
  /[\\/]web[\\/](?:lib|app|pages)[\\/](?!(?:matchers|detector-settings|alert-actions|Explain|ExplainAt)\.)/;

/** The generated code of a service, and its client. */
function serviceOf(name: string): RegExp {
  const contracts = { query: "(?:query|chart)", admin: "(?:admin|ingest)" }[name] ?? name;
  return new RegExp(`[\\\\/](?:services[\\\\/]${name}|v1[\\\\/]${contracts}_pb)\\.ts$`);
}

/**
 * What several pages need comes in few files: each costs a request, and headers of half a kilobyte. A contract that not every page needs is a file
 * of its own: to read one takes the browser some milliseconds, on a slow machine tens of them.
 */
const GROUPS = [
  { name: "wire", test: WIRE, priority: 4 },
  {
    name: "shared",
    test: /[\\/]node_modules[\\/](?:svelte|esm-env|clsx)[\\/]|[\\/]chart[\\/](?:range|series|tried)\.ts$/,
    priority: 3,
  },
  ...SERVICES_APART.map((name) => ({ name, test: serviceOf(name), priority: 2 })),
  { name: "shared", test: SHARED, minShareCount: 4, priority: 1 },
  { name: "chart", test: /[\\/]uplot[\\/]|[\\/]web[\\/]chart[\\/]/ },
];

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "/ui/",
  cacheDir: fileURLToPath(new URL("../node_modules/.cache/vite", import.meta.url)),
  plugins: [svelte({ configFile: false, preprocess: vitePreprocess({ script: false }) })],
  build: {
    outDir: fileURLToPath(new URL("../dist/web", import.meta.url)),
    emptyOutDir: true,
    // Read by the build for the sizes, and removed.
    manifest: true,
    // One file of some kilobytes, and not one for each component.
    cssCodeSplit: false,
    target: "es2022",
    // An inline preload helper would need an exception in the content security policy.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      checks: { pluginTimings: false },
      output: {
        codeSplitting: { groups: GROUPS },
      },
    },
  },
});
