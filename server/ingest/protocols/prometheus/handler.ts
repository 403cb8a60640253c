/** `POST /api/v1/write`: Prometheus' remote_write 1.0 and 2.0. */
import type { EndpointDocument } from "../../../lib/endpoint-document.ts";
import {
  HttpRefusal,
  type IngestProtocol,
  type ProtocolFailure,
  type ProtocolRequest,
  type ProtocolResponse,
} from "../../protocol.ts";
import { Identities } from "../identity.ts";
import { storePoints } from "../points.ts";
import { mappedToNothing, mapSeries } from "./map.ts";
import { parseWrite, type Version, type WriteRequest } from "./parse.ts";
import { uncompress } from "./snappy.ts";

export function remoteWrite(): IngestProtocol {
  const identities = new Identities();
  return {
    name: "remote_write",
    method: "POST",
    path: "/api/v1/write",
    document: DOCUMENT,
    checkHeaders: (headers) => {
      versionOf(headers);
      checkEncoding(headers);
    },
    handle: (request) => handle(request, identities),
    refuse,
  };
}

const DOCUMENT: EndpointDocument = {
  operationId: "remote_write",
  summary: "Prometheus' remote_write 1.0 and 2.0",
  description:
    "204 when all samples are stored and scored, 400 with the reasons where some are not. A limit that is over with time is answered with 503, which senders retry. Guide: docs/guides/prometheus.md.",
  body: {
    types: ["application/x-protobuf", "application/x-protobuf;proto=io.prometheus.write.v2.Request"],
    encodings: ["snappy"],
    encodingRequired: true,
  },
  query: [],
  answers: {
    204: {
      description: "All samples are stored, now or before.",
      types: [],
      headers: {
        "X-Prometheus-Remote-Write-Samples-Written": "Samples that are stored, of version 2.0.",
        "X-Prometheus-Remote-Write-Histograms-Written": "Histograms that are stored, of version 2.0.",
        "X-Prometheus-Remote-Write-Exemplars-Written": "0: exemplars are not stored.",
      },
    },
  },
  refusal: { description: "Why, in a line.", types: ["text/plain"] },
  credentials: ["bearer"],
};

async function handle(request: ProtocolRequest, identities: Identities): Promise<ProtocolResponse> {
  const version = versionOf(request.headers);
  const written = parseWrite(uncompress(request.body, request.maxBodyBytes, request.hold), version);
  const to = mappedToNothing();
  const { otherUnit } = to;
  let nan = 0;
  let samples = written.stale;
  let histograms = 0;
  for (const series of written.series) {
    nan += mapSeries(series, identities, to);
    samples += series.values.length;
    histograms += series.histograms.length;
  }
  countSkipped(request, written, nan);
  for (const { count, told } of Object.values(otherUnit)) request.skip("other_unit", count, told[0]);
  const ofSamples = await storePoints(to.samples, request);
  const ofHistograms = await storePoints(to.histograms, request);
  const noHistograms = to.faults.count + otherUnit.histograms.count;
  const writtenHistograms = Math.max(0, histograms - noHistograms - ofHistograms.refused);
  const writtenSamples = samples - otherUnit.samples.count - ofSamples.refused;
  const headers = version === 1 ? {} : writtenHeaders(writtenSamples, writtenHistograms);
  const refused = [otherUnit.samples, otherUnit.histograms, ofSamples, ofHistograms, to.faults];
  const why = refused.flatMap(({ why }) => (why === "" ? [] : [why])).join(" ");
  return why === "" ? { status: 204, headers } : text(400, why, headers);
}

function countSkipped({ skip }: ProtocolRequest, written: WriteRequest, nan: number): void {
  const stale = written.series.flatMap(({ histograms }) => histograms).filter(({ sum }) => Number.isNaN(sum)).length;
  skip("stale_marker", written.stale + stale);
  skip("nan", nan);
  skip("exemplar", written.exemplars);
  skip("metadata", written.metadata);
}

/** A sender of 2.0 takes an answer without them for one of a server that knows 1.0 alone. */
function writtenHeaders(samples: number, histograms: number): Record<string, string> {
  return {
    "x-prometheus-remote-write-samples-written": String(samples),
    "x-prometheus-remote-write-histograms-written": String(histograms),
    "x-prometheus-remote-write-exemplars-written": "0",
  };
}

const MESSAGES: ReadonlyMap<string, Version> = new Map([
  ["prometheus.WriteRequest", 1],
  ["io.prometheus.write.v2.Request", 2],
]);

/** By the content type alone, as 2.0 asks for. */
function versionOf(headers: Headers): Version {
  const given = headers.get("content-type") ?? "application/x-protobuf";
  const [type = "", ...parameters] = given.split(";").map((part) => part.trim());
  const proto = parameters.find((parameter) => /^proto=/i.test(parameter))?.slice("proto=".length);
  const message = proto?.replace(/^"(.*)"$/, "$1") ?? "prometheus.WriteRequest";
  const version = MESSAGES.get(message);
  if (type.toLowerCase() === "application/x-protobuf" && version !== undefined) return version;
  const wanted = [...MESSAGES.keys()].map((name) => `application/x-protobuf;proto=${name}`).join(" or ");
  throw new HttpRefusal(415, "invalid", `content-type is ${JSON.stringify(given.slice(0, 200))}: send ${wanted}`);
}

function checkEncoding(headers: Headers): void {
  const encoding = headers.get("content-encoding")?.trim().toLowerCase() ?? "";
  if (encoding === "snappy") return;
  const given = encoding === "" ? "missing" : JSON.stringify(encoding.slice(0, 50));
  throw new HttpRefusal(415, "invalid", `content-encoding is ${given}: send snappy (its block format)`);
}

/**
 * Senders retry 5xx. They take 429 for lost data unless they are told otherwise (`retry_on_http_429`), so that what succeeds later is
 * answered with 503.
 */
function refuse({ status, message, retryAfter }: ProtocolFailure): ProtocolResponse {
  return text(status === 429 && retryAfter !== undefined ? 503 : status, message);
}

/** Prometheus logs the first line. */
function text(status: number, message: string, headers: Readonly<Record<string, string>> = {}): ProtocolResponse {
  return { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers }, body: `${message}\n` };
}
