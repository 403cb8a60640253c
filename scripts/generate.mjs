// Regenerates everything that is made from the contracts and from the code, the scoring kernel among it. With `--check` nothing is
// written: it says what differs from the committed files and exits with 1.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { main, runToEnd } from "./children.mjs";
import { root } from "./install.mjs";

const check = process.argv.includes("--check");
const out = check ? mkdtempSync(join(tmpdir(), "telltale-generate-")) : root;

await main(async () => {
  try {
    let clean = await run("node_modules/.bin/buf", "generate", "-o", out);
    clean = (await run("node_modules/.bin/buf", "generate", "--template", "buf.gen.web.yaml", "-o", out)) && clean;
    if (check) clean = clean && same("gen");
    // The scoring kernel, from the table of its memory and from its source.
    clean = (await run(process.execPath, "server/detect/kernel/generate.ts", ...(check ? ["--check"] : []))) && clean;
    // Python's, for the Spark job; test/spark compares them.
    if (!check) clean = (await run(process.execPath, "test/spark/stubs.ts")) && clean;
    // The supergraphs of the gateway; their generator compares by itself.
    clean = (await run(process.execPath, "gateway/mesh/compose.ts", ...(check ? ["--check"] : []))) && clean;
    // The reference pages; they compare by themselves too.
    clean = (await run(process.execPath, "scripts/reference/main.ts", ...(check ? ["--check"] : []))) && clean;
    if (!clean)
      console.error("Generated files differ from what they are made of. Run `npm run generate` and commit the result.");
    return clean ? 0 : 1;
  } finally {
    if (check) rmSync(out, { recursive: true, force: true });
  }
});

async function run(program, ...args) {
  return (await runToEnd(program, args, { cwd: root, stdio: "inherit" })) === 0;
}

/** Whether the folder as committed equals the one just made; names each file that does not. */
function same(folder) {
  const made = join(out, folder);
  const kept = join(root, folder);
  const names = new Set([...files(made), ...files(kept)]);
  const different = [...names].filter((name) => read(join(made, name)) !== read(join(kept, name)));
  for (const name of different.sort()) console.error(`differs: ${join(folder, name)}`);
  return different.length === 0;
}

function files(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

function read(file) {
  return existsSync(file) ? readFileSync(file, "latin1") : undefined;
}
