import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Command, InvalidArgumentError, Option } from "commander";
import { counted } from "../../formats/counted.ts";
import { Scope, type Token } from "../../gen/es/telltale/v1/admin_pb.ts";
import { asAdmin } from "../admin.ts";
import { printList } from "../pages.ts";
import { type ServerOptions, withServer } from "../server.ts";
import { timeOption, timestampOf } from "../time.ts";

const scopeNames = ["ingest", "read", "operate", "admin"] as const;
type ScopeName = (typeof scopeNames)[number];

const scopes: Readonly<Record<ScopeName, Scope>> = {
  ingest: Scope.INGEST,
  read: Scope.READ,
  operate: Scope.OPERATE,
  admin: Scope.ADMIN,
};

interface NewToken extends ServerOptions {
  readonly scope: readonly ScopeName[];
  readonly sensorPrefix?: string;
  readonly expires?: number;
}

/** `telltale token create|list|revoke`, and `telltale token audit`: who did what. Needs a token with the scope admin. */
export function tokenCommand(): Command {
  const create = new Command("create")
    .description("create a token and print its secret, which cannot be shown again")
    .argument("<name>", "name of the token, for people")
    .addOption(new Option("--scope <scopes...>", "scopes of the token").choices(scopeNames).makeOptionMandatory())
    .option("--sensor-prefix <prefix>", "only sensors whose id begins with this; default: all sensors", readPrefix)
    .option("--expires <time>", "when it ends, as 2030-01-31 or with a time and zone", timeOption)
    .action(createToken);
  const list = new Command("list").description("print all tokens, without their secrets").action(listTokens);
  const revoke = new Command("revoke")
    .description("revoke a token; its streams end within seconds")
    .argument("<id>", "as `telltale token list` prints it")
    .action(revokeToken);
  const audit = new Command("audit").description("print who did what, newest first").action(printAudit);
  const command = new Command("token").description("tokens of callers, and the audit record");
  for (const each of [create, list, revoke, audit]) command.addCommand(withServer(each));
  return command;
}

/** A script whose variable is not set passes an empty text: that must not make a token for everything. */
function readPrefix(given: string): string {
  if (given.trim() !== "") return given;
  throw new InvalidArgumentError("It is empty: leave the option out for a token that reaches all sensors.");
}

async function createToken(name: string, options: NewToken): Promise<void> {
  const { scope, sensorPrefix = "", expires } = options;
  const ends = expires === undefined ? {} : { expiresAt: timestampOf(expires) };
  const token = { name, scopes: scope.map((each) => scopes[each]), sensorPrefix, ...ends };
  await asAdmin(options, async (admin) => {
    const made = await admin.createToken({ token });
    // The secret alone on the standard output, so that it can be piped into a file or a vault.
    console.error(`Made ${describe(made.token!)}.\nIts secret cannot be shown again:`);
    console.log(made.secret);
  });
}

async function listTokens(options: ServerOptions): Promise<void> {
  await asAdmin(options, async (admin) => {
    const count = await printList({
      page: async (asked) => {
        const { tokens, nextPageToken } = await admin.listTokens(asked);
        return { items: tokens, nextPageToken };
      },
      line: describe,
    });
    console.error(counted(count, "token"));
  });
}

async function revokeToken(id: string, options: ServerOptions): Promise<void> {
  await asAdmin(options, async (admin) => {
    const { token } = await admin.revokeToken({ id });
    console.log(describe(token!));
  });
}

async function printAudit(options: ServerOptions): Promise<void> {
  await asAdmin(options, async (admin) => {
    const { events } = await admin.listAuditEvents({});
    for (const { at, principal, action, target, detail } of events) {
      const when = at === undefined ? "" : timestampDate(at).toISOString();
      // Quoted: a name or a comment may hold anything, also what a terminal would obey.
      console.log(`${when}  ${action}  ${target}  by ${JSON.stringify(principal)}  ${JSON.stringify(detail)}`);
    }
    if (events.length === 0) console.error("No events.");
  });
}

function describe({ id, name, scopes: given, sensorPrefix, expiresAt, lastUsedAt, revokedAt }: Token): string {
  const names = scopeNames.filter((each) => given.includes(scopes[each])).join(",");
  const parts = [`${id}  ${JSON.stringify(name)}  ${names}`];
  if (sensorPrefix !== "") parts.push(`only sensors ${JSON.stringify(sensorPrefix)}…`);
  if (expiresAt) parts.push(`ends ${timestampDate(expiresAt).toISOString()}`);
  if (lastUsedAt) parts.push(`last used ${timestampDate(lastUsedAt).toISOString()}`);
  if (revokedAt) parts.push(`revoked ${timestampDate(revokedAt).toISOString()}`);
  return parts.join("  ");
}
