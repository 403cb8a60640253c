import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Client, createClient } from "@connectrpc/connect";
import { Command, InvalidArgumentError } from "commander";
import { connect } from "../../client/transport.ts";
import { counted } from "../../formats/counted.ts";
import {
  AdminService,
  QuarantinedKind,
  type QuarantinedReading,
  QuarantinedState,
} from "../../gen/es/telltale/v1/admin_pb.ts";
import { printList } from "../pages.ts";
import { credentials, type ServerOptions, withServer } from "../server.ts";

interface ListOptions extends ServerOptions {
  readonly all?: boolean;
}

const DECISIONS: Readonly<Record<number, string>> = {
  [QuarantinedState.REPLAYED]: "submitted again",
  [QuarantinedState.DISCARDED]: "discarded",
};

/** `telltale quarantine list|replay|discard`: readings that the store refused for their data. Needs a token with the scope admin. */
export function quarantineCommand(): Command {
  const list = new Command("list")
    .description("print what is set aside and waits for a decision, newest first")
    .option("--all", "also what was submitted again or discarded")
    .action(listAll);
  const replay = new Command("replay")
    .description("submit readings again, as if their devices had sent them now with their own times")
    .argument("<id...>", "as `telltale quarantine list` prints them", readId)
    .action(replayAll);
  const discard = new Command("discard")
    .description("discard readings; their content stays in the record")
    .argument("<id...>", "as `telltale quarantine list` prints them", readId)
    .action(discardAll);
  const command = new Command("quarantine").description("readings that were set aside because the store refused them");
  for (const each of [list, replay, discard]) command.addCommand(withServer(each));
  return command;
}

async function listAll(options: ListOptions): Promise<void> {
  await asAdmin(options, async (admin) => {
    let waits = 0n;
    await printList({
      page: async (asked) => {
        const request = { ...asked, includeDecided: options.all ?? false };
        const { readings, nextPageToken, waiting } = await admin.listQuarantinedReadings(request);
        waits = waiting;
        return { items: readings, nextPageToken };
      },
      line,
    });
    console.error(counted(waits, "item", ["waits for a decision", "wait for a decision"]));
  });
}

async function replayAll(ids: readonly bigint[], options: ServerOptions): Promise<void> {
  await asAdmin(options, async (admin) => {
    for (const id of ids) {
      const { counts, refusals } = await admin.replayQuarantinedReading({ id });
      const { accepted = 0n, duplicate = 0n, conflicting = 0n, rejected = 0n } = counts ?? {};
      console.log(
        `${id}: ${accepted} accepted, ${duplicate} duplicate, ${conflicting} conflicting, ${rejected} rejected`,
      );
      for (const { message } of refusals) console.log(`  ${message}`);
    }
  });
}

async function discardAll(ids: readonly bigint[], options: ServerOptions): Promise<void> {
  await asAdmin(options, async (admin) => {
    for (const id of ids) {
      await admin.discardQuarantinedReading({ id });
      console.log(`${id}: discarded`);
    }
  });
}

async function asAdmin(
  options: ServerOptions,
  act: (admin: Client<typeof AdminService>) => Promise<void>,
): Promise<void> {
  const connection = connect(credentials(options));
  try {
    await act(createClient(AdminService, connection.transport));
  } finally {
    connection.close();
  }
}

function line({ id, kind, reading, readingCount, reason, state, decidedBy, receivedAt }: QuarantinedReading): string {
  const at = receivedAt === undefined ? "" : timestampDate(receivedAt).toISOString();
  const what =
    kind === QuarantinedKind.CONTROL
      ? "a control"
      : reading === undefined
        ? `a record with ${counted(readingCount, "reading")}`
        : `${JSON.stringify(reading.sensorId)} ${reading.value} ${reading.unit}`;
  const decision = state === QuarantinedState.WAITING ? "" : ` [${DECISIONS[state] ?? ""} by ${decidedBy}]`;
  return `${id}  ${at}  ${what}: ${reason}${decision}`;
}

function readId(text: string, before: readonly bigint[] = []): bigint[] {
  if (!/^\d{1,16}$/.test(text)) throw new InvalidArgumentError("Wanted a number such as 42.");
  return [...before, BigInt(text)];
}
