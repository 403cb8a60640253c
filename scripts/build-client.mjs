// Builds the device client as JavaScript for the package: Node does not strip types from what is installed under node_modules.
//   node scripts/build-client.mjs [FILE]     by default dist/client.js
import { join } from "node:path";
import { build } from "esbuild";
import { root } from "./install.mjs";

await build({
  entryPoints: [join(root, "client", "index.ts")],
  outfile: process.argv[2] ?? join(root, "dist", "client.js"),
  bundle: true,
  // Dependencies of the package are installed beside it.
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node22",
  logLevel: "warning",
});
