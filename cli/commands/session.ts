import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Command, InvalidArgumentError } from "commander";
import { counted } from "../../formats/counted.ts";
import type { BrowserSession } from "../../gen/es/telltale/v1/admin_pb.ts";
import { asAdmin } from "../admin.ts";
import { type ServerOptions, withServer } from "../server.ts";
import { inert } from "../text.ts";

/** The contract's bound; a caller has at most a hundred. */
const MOST = 1_000;

interface ListOptions extends ServerOptions {
  readonly all?: true;
}

interface EndOptions extends ServerOptions {
  readonly mine?: true;
  readonly caller?: string;
}

/** `telltale session list|end`: browsers that are signed in to the console. */
export function sessionCommand(): Command {
  const list = new Command("list")
    .description("print the browsers that are signed in with your token, newest first")
    .option("--all", "of everybody; needs a token with the scope admin and no prefix")
    .action(listSessions);
  const end = new Command("end")
    .description("sign browsers out; their streams end within seconds")
    .argument("[id...]", "as `telltale session list` prints them")
    .option("--mine", "all that are signed in with your token")
    .option("--caller <name>", "all of this caller, as `telltale session list` prints it", readCaller)
    .action(endSessions);
  const command = new Command("session").description("browsers that are signed in to the console");
  for (const each of [list, end]) command.addCommand(withServer(each));
  return command;
}

/** A script whose variable is not set passes an empty text: the contract takes that for one's own. */
function readCaller(given: string): string {
  if (given.trim() !== "") return given;
  throw new InvalidArgumentError("It is empty: --mine ends your own.");
}

async function listSessions(options: ListOptions): Promise<void> {
  await asAdmin(options, async (admin) => {
    const { sessions } = await admin.listSessions({ all: options.all === true, limit: MOST });
    for (const each of sessions) console.log(describe(each));
    console.error(
      sessions.length === MOST
        ? `These are the newest ${counted(MOST, "session")}; there may be more.`
        : counted(sessions.length, "session"),
    );
  });
}

async function endSessions(ids: readonly string[], options: EndOptions, command: Command): Promise<void> {
  const { mine, caller } = options;
  if ([ids.length > 0, mine === true, caller !== undefined].filter(Boolean).length !== 1)
    command.error("error: say which: ids, --mine, or --caller NAME");
  await asAdmin(options, async (admin) => {
    if (ids.length === 0) {
      const { ended, caller: whose } = await admin.endSessions({ caller: caller ?? "" });
      console.log(`${counted(ended, "session")} of ${inert(whose)} ended`);
    }
    for (const id of ids) {
      const { session } = await admin.endSession({ id });
      console.log(describe(session!));
    }
  });
}

function describe({ id, caller, browser, begunAt, lastUsedAt, endsAt }: BrowserSession): string {
  const parts = [`${id}  ${inert(caller)}`];
  if (begunAt) parts.push(`since ${timestampDate(begunAt).toISOString()}`);
  if (lastUsedAt) parts.push(`last used ${timestampDate(lastUsedAt).toISOString()}`);
  if (endsAt) parts.push(`ends ${timestampDate(endsAt).toISOString()}`);
  parts.push(JSON.stringify(browser));
  return parts.join("  ");
}
