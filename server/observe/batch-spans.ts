/**
 * The way of a batch as spans, by OpenTelemetry's messaging conventions: sent to the log, processed by whoever scores its
 * partition, its alerts sent and delivered. All of them are of the trace that the device began. Without an SDK the API's calls do
 * nothing, and what a device sent as its context goes on as it is.
 */
import { fromBinary } from "@bufbuild/protobuf";
import {
  type Context,
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { type AlertEvent, AlertEventSchema, AlertEventTypeSchema } from "../../gen/es/telltale/v1/watch_pb.ts";

const LOG = "sensor-data";
const EVENTS = "alert-events";

/** A batch of readings that was logged with a trace context, and is committed. */
export interface TracedBatch {
  readonly traceparent: string;
  readonly offset: number;
  readonly receivedUs: number;
  readonly readings: number;
}

export interface SendSpan {
  /** What goes into the log; the device's own where nothing is traced here. */
  readonly traceparent: string;
  /** The batch is durable, or failed. */
  end(error?: unknown): void;
}

const tracer = () => trace.getTracer("telltale");

/** @param traceparent of the batch itself; without one the call that is being served is the parent */
export function sendSpan(traceparent: string, own: string, readings: number): SendSpan {
  const parent = traceparent === "" ? context.active() : contextOf(traceparent);
  const attributes = { ...about("send", LOG), "messaging.batch.message_count": readings };
  const span = tracer().startSpan(`send ${LOG}`, { kind: SpanKind.PRODUCER, attributes }, parent);
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    traceparent: isSpanContextValid(span.spanContext())
      ? `00-${traceId}-${spanId}-${(traceFlags & 1).toString(16).padStart(2, "0")}`
      : own,
    end: (error) => {
      if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

/** After a commit: from the batch's arrival to now, and the alerts that came of it. */
export function committedSpans(
  partition: number,
  batches: readonly TracedBatch[],
  events: readonly Uint8Array[],
  modelVersion: string,
): void {
  for (const { traceparent, offset, receivedUs, readings } of batches) {
    const attributes = {
      ...about("process", LOG),
      "messaging.destination.partition.id": String(partition),
      "messaging.batch.message_count": readings,
      "telltale.log.offset": offset,
      "telltale.model.version": modelVersion,
    };
    const options = { kind: SpanKind.CONSUMER, startTime: new Date(receivedUs / 1000), attributes };
    tracer().startSpan(`process ${LOG}`, options, contextOf(traceparent)).end();
  }
  // Only where a batch was traced can an event be.
  if (batches.length === 0) return;
  for (const bytes of events) alertSpan("send", fromBinary(AlertEventSchema, bytes));
}

/** A watcher is given the event. */
export function deliveredSpan(event: AlertEvent): void {
  alertSpan("deliver", event);
}

function alertSpan(operation: "send" | "deliver", event: AlertEvent): void {
  if (event.traceparent === "") return;
  const call = trace.getActiveSpan();
  const attributes = {
    ...about(operation, EVENTS),
    "messaging.message.id": event.id,
    "telltale.alert.event": AlertEventTypeSchema.value[event.type]?.localName.toLowerCase() ?? String(event.type),
    "telltale.alert.id": String(event.alert?.id ?? ""),
  };
  // A watch is a call of its own, with a trace of its own: the two are linked.
  const links = call === undefined ? [] : [{ context: call.spanContext() }];
  const options = { kind: SpanKind.PRODUCER, attributes, links };
  tracer().startSpan(`${operation} ${EVENTS}`, options, contextOf(event.traceparent)).end();
}

function about(operation: string, destination: string) {
  return {
    "messaging.system": "telltale",
    "messaging.destination.name": destination,
    "messaging.operation.name": operation,
    "messaging.operation.type": operation === "process" ? "process" : "send",
  };
}

function contextOf(traceparent: string): Context {
  return propagation.extract(ROOT_CONTEXT, { traceparent });
}
