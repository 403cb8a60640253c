/** OTLP's metrics over gRPC: the same readings as over plain HTTP (`ingest/protocols/otlp`). */
import type { DescMethodUnary, Message } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import {
  type ExportMetricsServiceResponseSchema,
  MetricsService,
} from "../../gen/es/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import type { Batch } from "../ingest/accept.ts";
import { storeExport } from "../ingest/protocols/otlp/handler.ts";
import type { OtlpMapper } from "../ingest/protocols/otlp/map.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { SampledLines } from "../observe/sampled.ts";
import { callerOf } from "../security/principal.ts";
import { peerKey, principalOf } from "./principal.ts";
import { type ProtocolOptions, skipping, submitted } from "./protocol-routes.ts";

/**
 * The method as it is served: of its request only the fields are told apart, since it is read by the protocol's own parser. Made into
 * messages first, it would be read twice.
 */
const EXPORT = { ...MetricsService.method.export, input: EmptySchema } as DescMethodUnary<
  typeof EmptySchema,
  typeof ExportMetricsServiceResponseSchema
>;

export interface OtlpOptions extends Pick<ProtocolOptions, "ingestor" | "quota" | "onStored" | "memory"> {
  readonly mapper: OtlpMapper;
  readonly metrics: Pick<Metrics, "protocolSkipped">;
  readonly lines: SampledLines;
}

export function registerOtlp(router: ConnectRouter, o: OtlpOptions): void {
  const skip = skipping("otlp", o);
  router.rpc(EXPORT, async (request, context) => {
    const { signal } = context;
    const submit = (batch: Partial<Batch>) => submitted(batch, admittedOf(context), signal, o);
    const { hold, release } = o.memory.open();
    try {
      const body = bytesOf(request);
      hold(body.length);
      return await storeExport(body, o.mapper, { submit, skip, hold });
    } finally {
      release();
    }
  });
}

function admittedOf(context: HandlerContext) {
  const principal = principalOf(context);
  const caller = callerOf(principal, context.values.get(peerKey).address);
  return { headers: context.requestHeader, principal, caller };
}

/** The message as it came: all of its fields are unknown to an empty one, which keeps them with their lengths. */
function bytesOf({ $unknown = [] }: Message): Uint8Array {
  return Buffer.concat($unknown.flatMap(({ no, wireType, data }) => [tagOf(no, wireType), data]));
}

/** Of fields that are known: of others no more is needed than that they are skipped. */
function tagOf(no: number, wireType: number): Uint8Array {
  const tag: number[] = [];
  let rest = no * 8 + wireType;
  for (; rest > 127; rest = Math.floor(rest / 128)) tag.push((rest % 128) + 128);
  return Uint8Array.from([...tag, rest]);
}
