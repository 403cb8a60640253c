import { resolve } from "node:path";
import { Command, Option } from "commander";
import { pino } from "pino";
import { type FsckReport, fsck } from "../../server/fsck.ts";
import { openStore } from "../../server/open-store.ts";

interface FsckOptions {
  readonly dataDir: string;
  readonly databaseUrl?: string;
}

/** `telltale fsck`: checks the stored data itself, without the platform. */
export function fsckCommand(): Command {
  return new Command("fsck")
    .description("check every invariant of the stored data; exit code 1 where something is wrong")
    .addOption(
      new Option("--data-dir <folder>", "of the embedded database; end the platform first")
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
    report(await fsck(store.address));
  } finally {
    await store.close();
  }
}

function report({ findings, more, series, readings, blocks, alerts }: FsckReport): void {
  for (const { rule, where, what } of findings) console.log(`WRONG ${rule}: ${where}: ${what}`);
  if (more > 0) console.log(`WRONG and ${more} more`);
  const found = findings.length + more;
  console.log(
    `${series} series, ${readings} readings in ${blocks} blocks, ${alerts} alerts: ${found === 0 ? "all is well" : `${found} wrong`}`,
  );
  if (found > 0) process.exitCode = 1;
}
