import { resolve } from "node:path";
import { SingleBar } from "cli-progress";
import { Command, Option } from "commander";
import { pino } from "pino";
import { counted } from "../../formats/counted.ts";
import { type FsckReport, fsck, openStore } from "../../server/offline.ts";
import { inert } from "../text.ts";

interface FsckOptions {
  readonly dataDir: string;
  readonly databaseUrl?: string;
}

/** `telltale fsck`: checks the stored data itself, without the platform. */
export function fsckCommand(): Command {
  return new Command("fsck")
    .description("check every invariant of the stored data; exit code 1 where something is wrong")
    .addOption(
      new Option("--data-dir <folder>", "of the embedded database; stop the platform first")
        .default(".telltale")
        .env("DATA_DIR"),
    )
    .addOption(new Option("--database-url <url>", "of another PostgreSQL; the platform may run").env("DATABASE_URL"))
    .action(check);
}

async function check({ dataDir, databaseUrl }: FsckOptions): Promise<void> {
  const store = await openStore({
    dataDir: resolve(dataDir),
    databaseUrl: databaseUrl?.replace(/^(postgres(?:ql)?)\+asyncpg:/i, "$1:"),
    logger: pino({ level: "silent" }),
  });
  try {
    const bar = new SingleBar({ format: "{bar} {percentage}% | {value}/{total} blocks", stream: process.stderr });
    const isShown = process.stderr.isTTY;
    if (isShown) bar.start(1, 0);
    const found = await fsck(store.address, (done, all) => {
      bar.setTotal(all);
      bar.update(done);
    });
    bar.stop();
    report(found);
  } finally {
    await store.close();
  }
}

function report({ problems, counts, readings, blocks }: FsckReport): void {
  for (const { kind, text } of problems) console.log(`WRONG ${kind}: ${inert(text)}`);
  let found = 0;
  for (const [kind, count] of counts) {
    found += count;
    const more = count - problems.filter((each) => each.kind === kind).length;
    if (more > 0) console.log(`WRONG ${kind}: ${more} more`);
  }
  console.log(
    `${counted(readings, "reading")} in ${counted(blocks, "block")}: ${found === 0 ? "all is well" : counted(found, "problem")}`,
  );
  if (found > 0) process.exitCode = 1;
}
