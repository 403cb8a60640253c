import { isSpanContextValid, trace } from "@opentelemetry/api";
import { destination, type Logger as PinoLogger, pino, stdSerializers } from "pino";
import type { LogLevel } from "../config.ts";
import { createScrub, type Scrub } from "./scrub.ts";

/** One JSON object a line; `logger.child({ part: "log" })` names the part that speaks. Never a line per reading. */
export type Logger = PinoLogger;

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Where lines go; by default the standard error, so that the standard output stays for people and pipes. */
  readonly write?: (line: string) => void;
  /** Takes secrets out of a line; absent: those that are known by their looks. */
  readonly scrub?: Scrub;
}

const standardError = 2;

export function createLogger({ level, write, scrub = createScrub() }: LoggerOptions): Logger {
  // Synchronous: the last line before a crash is the one that matters.
  const target = write ? { write } : destination({ fd: standardError, sync: true });
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: plainError },
      mixin: traceIds,
      redact: { paths: secretPaths, censor: "[secret]" },
    },
    { write: (line) => target.write(scrub(line)) },
  );
}

/** Libraries hang what they were asked onto their errors (ioredis the arguments of AUTH): of those, a line has texts and numbers alone. */
function plainError(error: Error): unknown {
  return withoutObjects(stdSerializers.errWithCause(error) as unknown as Record<string, unknown>);
}

function withoutObjects(serialized: Record<string, unknown>): Record<string, unknown> {
  const { cause, aggregateErrors, raw, ...rest } = serialized;
  const plain = Object.fromEntries(Object.entries(rest).filter(([, value]) => typeof value !== "object"));
  if (cause !== undefined) plain.cause = nested(cause);
  if (Array.isArray(aggregateErrors)) plain.aggregateErrors = aggregateErrors.map(nested);
  return plain;
}

function nested(value: unknown): unknown {
  return typeof value === "object" && value !== null ? withoutObjects(value as Record<string, unknown>) : value;
}

/** For tests and tools that want silence. */
export function silentLogger(): Logger {
  return pino({ level: "silent" });
}

const secretNames = ["authorization", "cookie", "password", "secret", "token"];
const secretPaths = secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** Joins a line to the trace of the call that it was written in. */
function traceIds(): object {
  const context = trace.getActiveSpan()?.spanContext();
  if (context === undefined || !isSpanContextValid(context)) return {};
  return { trace_id: context.traceId, span_id: context.spanId };
}
