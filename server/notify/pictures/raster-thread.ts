/** The thread that turns SVG into PNG: one picture for each message to it. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parentPort } from "node:worker_threads";
import { initWasm, Resvg } from "@resvg/resvg-wasm";
import { lowerThreadPriority } from "../../lib/thread-priority.ts";
import type { Drawing } from "./rasteriser.ts";

/** Behind everything else: a picture is a courtesy. */
const NICE = 10;

await initWasm(readFileSync(fileURLToPath(import.meta.resolve("@resvg/resvg-wasm/index_bg.wasm"))));
// Only now: the first picture waits for the above.
lowerThreadPriority(NICE);

parentPort!.on("message", ({ svg, width }: Drawing) => {
  const drawing = new Resvg(svg, { fitTo: { mode: "width", value: width }, font: { loadSystemFonts: false } });
  const image = drawing.render();
  const png = image.asPng();
  image.free();
  drawing.free();
  parentPort!.postMessage(png, [png.buffer as ArrayBuffer]);
});
