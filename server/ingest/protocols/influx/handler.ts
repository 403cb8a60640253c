/** InfluxDB's line protocol as version 2 takes it, `POST /api/v2/write`, and as version 1 does, `POST /write` after `GET /ping`. */
import {
  type DocumentedAnswer,
  ENCODINGS,
  type EndpointDocument,
  objectSchema,
  TEXT,
} from "../../../lib/endpoint-document.ts";
import type {
  HttpProtocol,
  IngestProtocol,
  ProtocolFailure,
  ProtocolRequest,
  ProtocolResponse,
} from "../../protocol.ts";
import { checkEncoding } from "../encoding.ts";
import { Points, storePoints } from "../points.ts";
import { LineMapper, PRECISIONS, precisionOf } from "./map.ts";
import { type ParsedLines, parseLines } from "./parse.ts";

/** The routes of both versions: one series is one sensor, by whichever it comes. */
export function lineProtocol(): readonly HttpProtocol[] {
  const mapper = new LineMapper();
  const route = (name: string, path: string, document: EndpointDocument, body: Body): IngestProtocol => ({
    ...{ name, method: "POST", path, credential, document },
    handle: (request) => handle(request, mapper, body),
    refuse: ({ status, message }: ProtocolFailure) => refusal(body, status, message),
  });
  return [
    route("influx", "/api/v2/write", DOCUMENT, (status, message) => ({
      code: CODES[status] ?? "internal error",
      message,
    })),
    route("influx_v1", "/write", DOCUMENT_V1, (_, error) => ({ error })),
    { name: "influx_ping", method: "GET", path: "/ping", document: DOCUMENT_PING, probe: PONG },
  ];
}

const refusalOf = (properties: Readonly<Record<string, object>>): DocumentedAnswer => ({
  description: "Nothing was stored, or part where the message says so.",
  types: ["application/json"],
  schema: objectSchema(properties),
});

const DOCUMENT: EndpointDocument = {
  operationId: "write_line_protocol",
  summary: "Readings in InfluxDB's line protocol",
  description:
    "As InfluxDB 2: 204 when all lines are stored and scored, 400 with `partial write` where some are not. Other parameters are ignored. Guide: docs/guides/influx.md.",
  body: { types: ["text/plain", "*/*"], encodings: ENCODINGS },
  query: [
    { name: "precision", description: "Of times without a unit; ns without it.", choices: [...PRECISIONS.keys()] },
  ],
  answers: { 204: { description: "All lines are stored, now or before.", types: [] } },
  refusal: refusalOf({ code: TEXT, message: TEXT }),
  credentials: ["bearer", "token"],
};

const DOCUMENT_V1: EndpointDocument = {
  ...DOCUMENT,
  operationId: "write_line_protocol_v1",
  summary: "Readings in line protocol, as InfluxDB 1",
  refusal: refusalOf({ error: TEXT }),
  credentials: ["bearer", "basic"],
};

/** Clients of version 1 take it for how to write. It says nothing of this platform. */
const VERSION_1 = "1.8.10";
const PONG: ProtocolResponse = { status: 204, headers: { "x-influxdb-version": VERSION_1 } };

const DOCUMENT_PING: EndpointDocument = {
  operationId: "ping_v1",
  summary: "Whether it answers, as InfluxDB 1",
  description:
    "Clients of InfluxDB 1 ask it before they write to `/write`. HEAD is answered too. Guide: docs/guides/influx.md.",
  query: [],
  answers: {
    204: {
      description: "It does.",
      types: [],
      headers: { "X-Influxdb-Version": `${VERSION_1}, the version of InfluxDB whose writes are taken.` },
    },
  },
  credentials: [],
};

type Body = (status: number, message: string) => object;

const CODES: Readonly<Record<number, string>> = {
  400: "invalid",
  401: "unauthorized",
  403: "forbidden",
  413: "request too large",
  415: "invalid",
  429: "too many requests",
  503: "unavailable",
};

async function handle(request: ProtocolRequest, mapper: LineMapper, body: Body): Promise<ProtocolResponse> {
  checkEncoding(request.headers);
  const read = precisionOf(request.query.get("precision"));
  const points = new Points();
  const text = Buffer.from(request.body.buffer, request.body.byteOffset, request.body.length).toString();
  const parsed = parseLines(text, (line) => mapper.map(line, read, points));
  request.skip("string_field", parsed.strings);
  const { why } = await storePoints(points, request);
  const faults = faultsOf(parsed);
  if (faults === "" && why === "") return { status: 204 };
  return refusal(body, 400, `partial write: ${[faults, why].filter((part) => part !== "").join(" ")}`);
}

function faultsOf({ faults, faulty }: ParsedLines): string {
  if (faulty === 0) return "";
  const told = faults.map(({ line, message }) => `line ${line}: ${message}`).join("; ");
  const more = faulty > faults.length ? `; and ${faulty - faults.length} more` : "";
  return `${faulty} ${faulty === 1 ? "line" : "lines"} refused, the others are stored. ${told}${more}`;
}

function refusal(body: Body, status: number, message: string): ProtocolResponse {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(body(status, message)) };
}

/** `Token SECRET` of version 2; of version 1 a name, which does not count, and the secret as its password. */
function credential(headers: Headers): string | null {
  const given = headers.get("authorization");
  const token = /^Token (.*)$/i.exec(given ?? "")?.[1];
  if (token !== undefined) return `Bearer ${token.trim()}`;
  const basic = /^Basic ([\w+/=-]+)$/i.exec(given ?? "")?.[1];
  if (basic === undefined) return given;
  const pair = Buffer.from(basic, "base64").toString();
  return `Bearer ${pair.slice(pair.indexOf(":") + 1)}`;
}
