import { toJsonString } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { Command, Option } from "commander";
import { connect } from "../../client/transport.ts";
import { counted } from "../../formats/counted.ts";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import {
  IncidentEventType,
  IncidentSchema,
  IncidentService,
  IncidentState,
  type WatchIncidentsResponse,
} from "../../gen/es/telltale/v1/incident_pb.ts";
import { enumName } from "../../server/lib/enum-name.ts";
import { number, readId } from "../errors.ts";
import { follow } from "../follow.ts";
import { peerLines } from "../incident/peers.ts";
import { incidentLine, incidentLines, memberLine } from "../incident/text.ts";
import { printList } from "../pages.ts";
import { credentials, type ServerOptions, withServer } from "../server.ts";
import { severityOf, severityOption } from "../severity.ts";
import { timeOption, timestampOf } from "../time.ts";

interface FilterOptions extends ServerOptions {
  readonly sensorId?: string;
  readonly asset?: string;
  readonly minSeverity?: string;
  readonly json?: true;
}
interface ListOptions extends FilterOptions {
  readonly state?: string;
  readonly since?: number;
  readonly until?: number;
  readonly minAlerts: number;
  readonly limit: number;
}

type Incidents = Client<typeof IncidentService>;

/** `telltale incident list|show|watch|acknowledge|peers|rebuild`: alerts that belong together, and the sensors around them. */
export function incidentCommand(): Command {
  const whole = (min: number, max: number) => number({ min, max, integer: true });
  const list = withFilters(new Command("list").description("print incidents, newest first"))
    .addOption(new Option("--state <state>", "only these").choices(["open", "closed"]))
    .option("--since <time>", "whose newest alert opened at or after", timeOption)
    .option("--until <time>", "whose first alert opened at or before", timeOption)
    .option("--min-alerts <count>", "with at least so many alerts", whole(1, 10_000), 1)
    .option("--limit <count>", "at most so many", whole(1, 1e9), 100)
    .action(listIncidents);
  const show = new Command("show")
    .description("print an incident with its alerts and why each is in it")
    .argument("<id>", "the incident, or any alert in it", readId)
    .action(showIncident);
  const watch = withFilters(new Command("watch").description("print incidents as they change")).action(watchIncidents);
  const acknowledge = new Command("acknowledge")
    .description("acknowledge all alerts of an incident")
    .argument("<id>", "the incident, or any alert in it", readId)
    .action(acknowledgeIncident);
  const peers = new Command("peers")
    .description("print what the other sensors of an alert's asset did when it opened")
    .argument("<alert>", "the alert", readId)
    .action(showPeers);
  const rebuild = new Command("rebuild")
    .description("derive all incidents again from the stored alert events; needs a token with the scope admin")
    .action(rebuildIncidents);
  const command = new Command("incident").description("alerts that belong together");
  for (const each of [list, show, watch, acknowledge, peers, rebuild]) command.addCommand(withServer(each));
  return command;
}

async function showPeers(alertId: bigint, options: ServerOptions): Promise<void> {
  const connection = connect(credentials(options));
  try {
    const answer = await createClient(AlertService, connection.transport).getAlertPeers({ alertId });
    for (const line of peerLines(answer)) console.log(line);
  } finally {
    connection.close();
  }
}

function withFilters(command: Command): Command {
  return command
    .option("-s, --sensor-id <id>", "with an alert of this sensor")
    .option("--asset <path>", "with an alert of a sensor that belonged here or below")
    .addOption(severityOption())
    .option("--json", "a JSON object a line");
}

function filterOf({ sensorId = "", asset = "", minSeverity }: FilterOptions) {
  return { sensorId, asset, minSeverity: severityOf(minSeverity) };
}

async function listIncidents(options: ListOptions): Promise<void> {
  const { state, since, until, minAlerts } = options;
  const filter = {
    ...{ ...filterOf(options), minAlerts },
    state:
      state === undefined ? IncidentState.UNSPECIFIED : state === "open" ? IncidentState.OPEN : IncidentState.CLOSED,
    ...(since === undefined ? {} : { startTime: timestampOf(since) }),
    ...(until === undefined ? {} : { endTime: timestampOf(until) }),
  };
  await withIncidents(options, async (service) => {
    await printList({
      page: async (asked) => {
        const { incidents, nextPageToken } = await service.listIncidents({ ...filter, ...asked });
        return { items: incidents, nextPageToken };
      },
      line: (each) => (options.json ? toJsonString(IncidentSchema, each) : incidentLine(each)),
      most: options.limit,
      none: options.json ? undefined : "No incidents.",
    });
  });
}

async function showIncident(incidentId: bigint, options: ServerOptions): Promise<void> {
  await withIncidents(options, async (service) => {
    await printList({
      page: async (asked) => {
        const { incident, members, nextPageToken } = await service.getIncident({ incidentId, ...asked });
        if (asked.pageToken === "") for (const line of incidentLines(incident!)) console.log(line);
        return { items: members, nextPageToken };
      },
      line: memberLine,
    });
  });
}

async function watchIncidents(options: FilterOptions): Promise<void> {
  const filter = filterOf(options);
  await follow<WatchIncidentsResponse>(
    options,
    ({ transport }, resumeToken, signal) =>
      createClient(IncidentService, transport).watchIncidents({ ...filter, resumeToken }, { signal }),
    ({ incident, type }) => {
      if (incident === undefined) return;
      console.log(
        options.json
          ? toJsonString(IncidentSchema, incident)
          : incidentLine(incident, enumName(IncidentEventType, type)),
      );
    },
  );
}

async function acknowledgeIncident(incidentId: bigint, options: ServerOptions): Promise<void> {
  await withIncidents(options, async (service) => {
    let done = 0n;
    for (;;) {
      const { acknowledged, remaining } = await service.acknowledgeIncident({ incidentId });
      done += acknowledged;
      if (remaining === 0n) break;
    }
    console.log(`${counted(done, "alert")} acknowledged`);
  });
}

async function rebuildIncidents(options: ServerOptions): Promise<void> {
  await withIncidents(options, async (service) => {
    const { events, incidents } = await service.rebuildIncidents({});
    console.log(`${counted(incidents, "incident")} from ${counted(events, "alert event")}`);
  });
}

async function withIncidents(options: ServerOptions, act: (service: Incidents) => Promise<void>): Promise<void> {
  const connection = connect(credentials(options));
  try {
    await act(createClient(IncidentService, connection.transport));
  } finally {
    connection.close();
  }
}
