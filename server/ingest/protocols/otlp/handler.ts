/** `POST /v1/metrics` of OTLP over HTTP, and what it has in common with OTLP over gRPC (`api/otlp.ts`). */
import { create, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import { StatusSchema } from "../../../../gen/es/google/rpc/status_pb.ts";
import {
  ExportMetricsServiceRequestSchema,
  type ExportMetricsServiceResponse,
  ExportMetricsServiceResponseSchema,
} from "../../../../gen/es/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import { TelltaleError } from "../../../errors.ts";
import { ENCODINGS, type EndpointDocument, TEXT } from "../../../lib/endpoint-document.ts";
import {
  HttpRefusal,
  type IngestProtocol,
  type ProtocolFailure,
  type ProtocolRequest,
  type ProtocolResponse,
} from "../../protocol.ts";
import { checkEncoding } from "../encoding.ts";
import { Points, type Storing, storePoints } from "../points.ts";
import { type NotMapped, OtlpMapper } from "./map.ts";
import { parseExport } from "./parse.ts";

/** Stores the metrics of an `ExportMetricsServiceRequest` in binary form. */
export async function storeExport(
  body: Uint8Array,
  mapper: OtlpMapper,
  request: Storing & Pick<ProtocolRequest, "skip">,
): Promise<ExportMetricsServiceResponse> {
  const parsed = parseExport(body);
  const points = new Points();
  const not = mapper.map(parsed.metrics, points);
  request.skip("no_recorded_value", not.noRecordedValue);
  request.skip("nan", not.nan);
  request.skip("exemplar", parsed.exemplars);
  request.skip("no_time", not.timeless);
  request.skip("other_unit", not.otherUnit, not.example);
  const { refused, why } = await storePoints(points, request);
  const rejected = Math.min(parsed.points, refused + not.timeless + not.otherUnit);
  if (rejected === 0) return create(ExportMetricsServiceResponseSchema);
  const partialSuccess = { rejectedDataPoints: BigInt(rejected), errorMessage: `${whyTime(not)}${why}`.trim() };
  return create(ExportMetricsServiceResponseSchema, { partialSuccess });
}

function whyTime({ timeless, otherUnit, example }: NotMapped): string {
  const none = timeless === 0 ? "" : `${timeless} points have no time_unix_nano: give one. `;
  return otherUnit === 0 ? none : `${none}${otherUnit} refused for their time_unix_nano: ${example}. `;
}

export function otlpHttp(): IngestProtocol {
  const mapper = new OtlpMapper();
  return {
    name: "otlp",
    method: "POST",
    path: "/v1/metrics",
    document: DOCUMENT,
    handle: (request) => handle(request, mapper),
    refuse,
  };
}

const PROTOBUF = "application/x-protobuf";
const JSON_TYPE = "application/json";

const DOCUMENT: EndpointDocument = {
  operationId: "export_metrics",
  summary: "Metrics of OpenTelemetry (OTLP over HTTP)",
  description:
    "An ExportMetricsServiceRequest; the answer is in the form of the request. Points that are not stored are counted in `partialSuccess`. Guide: docs/guides/opentelemetry.md.",
  body: { types: [PROTOBUF, "application/protobuf", JSON_TYPE], encodings: ENCODINGS },
  query: [],
  answers: {
    200: {
      description: "An ExportMetricsServiceResponse: the points are stored, but for those that it counts.",
      types: [PROTOBUF, JSON_TYPE],
      schema: {
        type: "object",
        properties: {
          partialSuccess: { type: "object", properties: { rejectedDataPoints: TEXT, errorMessage: TEXT } },
        },
      },
    },
  },
  refusal: {
    description: "A google.rpc.Status in the form of the request.",
    types: [PROTOBUF, JSON_TYPE],
    schema: { type: "object", properties: { code: { type: "integer" }, message: TEXT } },
  },
  credentials: ["bearer"],
};

async function handle(request: ProtocolRequest, mapper: OtlpMapper): Promise<ProtocolResponse> {
  checkEncoding(request.headers);
  const form = formOf(request.headers);
  if (form === undefined) {
    const given = JSON.stringify((request.headers.get("content-type") ?? "").slice(0, 200));
    throw new HttpRefusal(415, "invalid", `content-type is ${given}: send ${PROTOBUF} or ${JSON_TYPE}`);
  }
  const body = form === JSON_TYPE ? binaryOf(request.body) : request.body;
  const answer = await storeExport(body, mapper, request);
  return form === JSON_TYPE
    ? { status: 200, headers: { "content-type": form }, body: toJsonString(ExportMetricsServiceResponseSchema, answer) }
    : { status: 200, headers: { "content-type": form }, body: toBinary(ExportMetricsServiceResponseSchema, answer) };
}

function formOf(headers: Headers): typeof PROTOBUF | typeof JSON_TYPE | undefined {
  const type = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type === JSON_TYPE) return JSON_TYPE;
  return type === PROTOBUF || type === "application/protobuf" ? PROTOBUF : undefined;
}

/** As much as one message of a call: objects take many times the bytes of the JSON that they are read from. */
const MAX_JSON_BYTES = 4 * 1024 * 1024;

/** Attributes may be nested: each of their levels is three messages. */
const MAX_JSON_DEPTH = 1_000;

/** JSON is rare and small: it is read by the contract's own code, and then like the rest. */
function binaryOf(json: Uint8Array): Uint8Array {
  if (json.length > MAX_JSON_BYTES) {
    const message = `the body is over ${MAX_JSON_BYTES} bytes of JSON: send less at once, or ${PROTOBUF}`;
    throw new HttpRefusal(413, "exhausted", message);
  }
  const schema = ExportMetricsServiceRequestSchema;
  const options = { ignoreUnknownFields: true, recursionLimit: MAX_JSON_DEPTH };
  try {
    return toBinary(schema, fromJsonString(schema, Buffer.from(json).toString(), options));
  } catch (error) {
    throw new TelltaleError("invalid", `the body is no JSON of its type: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** google.rpc.Status, in the form of the request. */
function refuse({ status, number, message }: ProtocolFailure, headers: Headers): ProtocolResponse {
  const told = create(StatusSchema, { code: number, message });
  return formOf(headers) === PROTOBUF
    ? { status, headers: { "content-type": PROTOBUF }, body: toBinary(StatusSchema, told) }
    : { status, headers: { "content-type": JSON_TYPE }, body: toJsonString(StatusSchema, told) };
}
