import { fileURLToPath } from "node:url";
import { svelte, vitePreprocess } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

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
    target: "es2022",
    // An inline preload helper would need an exception in the content security policy.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      checks: { pluginTimings: false },
      output: {
        // What several pages need comes in few files: each costs a request, and headers of half a kilobyte.
        codeSplitting: {
          groups: [{ name: "shared", test: /[\\/]web[\\/](?:lib|app|pages)[\\/]/, minShareCount: 4 }],
        },
      },
    },
  },
});
