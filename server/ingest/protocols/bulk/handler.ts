/** Files in one request, `POST /api/v1/sensors/data/bulk`: CSV, JSON lines, Parquet or Arrow, stored while they are read. */
import { counted } from "../../../../formats/counted.ts";
import { instantText } from "../../../../formats/time.ts";
import { HttpRefusal, type ProtocolResponse, type StreamedProtocol, type StreamedRequest } from "../../protocol.ts";
import { checkEncoding } from "../encoding.ts";
import { beginningOf } from "./beginning.ts";
import { ColumnarUploads } from "./columnar.ts";
import { firstRows, openCsv } from "./csv.ts";
import { DOCUMENT } from "./document.ts";
import { openJsonLines } from "./json-lines.ts";
import { type BulkOptions, bulkOptions } from "./parameters.ts";
import { type BulkPoint, type BulkSource, type RefuseLine, UploadProblem } from "./source.ts";
import { MAX_NAMED_SENSORS, Upload } from "./upload.ts";

/** Readings that the answer of a dry run shows. */
const MAX_SHOWN = 5;

/** @param columnar the limits of uploads as Parquet and Arrow */
export function bulkUpload(columnar = new ColumnarUploads()): StreamedProtocol {
  return {
    ...{ name: "bulk", method: "POST", path: "/api/v1/sensors/data/bulk", document: DOCUMENT },
    handleStream: (request) => handle(request, columnar),
    // As the other paths of REST.
    refuse: ({ status, message }) => answer(status, { detail: message }),
  };
}

async function handle(request: StreamedRequest, columnar: ColumnarUploads): Promise<ProtocolResponse> {
  checkEncoding(request.headers);
  const options = bulkOptions(request.query, request.headers);
  const open: Open = (body, refuse) => {
    if (options.format === "csv") return openCsv(body, options, refuse);
    return options.format === "jsonl"
      ? openJsonLines(body, options, refuse)
      : columnar.open(body, { who: request.who, options, refuse });
  };
  return options.dryRun ? look(request, options, open) : store(request, open);
}

type Open = (body: AsyncIterable<Uint8Array>, refuse: RefuseLine) => BulkSource | Promise<BulkSource>;

async function store(request: StreamedRequest, open: Open): Promise<ProtocolResponse> {
  const upload = new Upload(request);
  const { source, stopped } = await readAll(request, open, upload, (points) => upload.add(points));
  // What was understood by then is stored, and its lines are counted.
  await upload.end();
  const { conflicting, rejected } = upload.counts;
  const refused = conflicting + rejected;
  const result = { ...upload.counts, missing: source?.missing ?? 0, ...upload.extent(), refusals: upload.refusals };
  const understood = source?.understood() ?? null;
  if (stopped === undefined && refused === 0) return answer(200, { ...result, understood });
  const detail = stopped === undefined ? someRefused(refused, upload) : endedEarly(stopped, upload);
  const error = stopped && errorOf(stopped);
  return answer(stopped?.status ?? 422, { detail, ...result, error, understood });
}

interface Stopped {
  readonly status: number;
  readonly line: number | undefined;
  readonly message: string;
  /** That decide what could not be understood. */
  readonly parameters: readonly string[];
}

/** Gives the points over until the body ends, or no more of it can be read. */
async function readAll(
  { body, signal }: Pick<StreamedRequest, "body" | "signal">,
  open: Open,
  to: { readonly refuse: RefuseLine },
  take: (points: readonly BulkPoint[]) => Promise<void>,
): Promise<{ readonly source: BulkSource | undefined; readonly stopped: Stopped | undefined }> {
  const refuse: RefuseLine = (line, message) => to.refuse(line, message);
  let source: BulkSource | undefined;
  try {
    source = await open(body, refuse);
    for await (const points of source.points()) {
      // What came whole may be read for minutes in which nothing is to be stored, and nobody waits for what becomes of it.
      signal.throwIfAborted();
      await take(points);
    }
    return { source, stopped: undefined };
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof UploadProblem) {
      const { line, parameters } = error;
      return { source, stopped: { status: 422, line, message, parameters } };
    }
    if (error instanceof HttpRefusal)
      return { source, stopped: { status: error.status, line: undefined, message, parameters: [] } };
    throw error;
  } finally {
    await source?.close?.();
  }
}

const AGAIN = "Sending the whole body again stores nothing twice.";

function someRefused(refused: number, upload: Upload): string {
  const what = `${counted(refused, "reading", ["was", "were"])} refused`;
  if (storedOf(upload) === 0) return `Nothing was stored: ${what}.`;
  return `${what}; the others are stored and stay so. ${AGAIN}`;
}

function storedOf({ counts }: Upload): number {
  return counts.accepted + counts.duplicate;
}

function endedEarly({ message }: Stopped, upload: Upload): string {
  const stored = storedOf(upload);
  if (stored === 0) return `Nothing was stored: ${message}`;
  return `Reading ended early, after ${counted(stored, "reading")} that ${stored === 1 ? "is" : "are"} stored: ${message} ${AGAIN}`;
}

/** A dry run: what would be understood of the beginning. */
async function look(request: StreamedRequest, options: BulkOptions, open: Open): Promise<ProtocolResponse> {
  const isText = options.format === "csv" || options.format === "jsonl";
  const text = isText ? await beginningOf(request.body) : undefined;
  async function* beginning() {
    if (text === undefined) yield* request.body;
    else yield text.bytes;
  }
  const none = () => Promise.reject(new Error("a dry run stores nothing"));
  const upload = new Upload({ submit: none, settled: none });
  const first: BulkPoint[] = [];
  const sensors = new Set<string>();
  const newestUs = new Map<string, number>();
  let readings = 0;
  let outOfOrder = 0;
  const { signal } = request;
  const { source, stopped } = await readAll({ body: beginning(), signal }, open, upload, async (points) => {
    readings += points.length;
    first.push(...points.slice(0, MAX_SHOWN - first.length));
    for (const { series, timeUs } of points) {
      sensors.add(series.sensorId);
      const before = newestUs.get(series.sensorId) ?? timeUs;
      if (timeUs < before) outOfOrder++;
      newestUs.set(series.sensorId, Math.max(before, timeUs));
    }
  });
  const result = {
    ...{
      dry_run: true,
      whole: text?.isWhole ?? source?.isWhole ?? false,
      readings,
      rejected: upload.counts.rejected,
      missing: source?.missing ?? 0,
    },
    ...{ sensors: sensors.size, sensor_ids: [...sensors].slice(0, MAX_NAMED_SENSORS), out_of_order: outOfOrder },
    ...{ first: first.map(shown), refusals: upload.refusals },
    rows: text !== undefined && options.format === "csv" ? await firstRows(text.bytes, options) : null,
    understood: source?.understood() ?? null,
  };
  if (stopped === undefined) return answer(200, result);
  return answer(stopped.status, {
    detail: `Nothing was stored: ${stopped.message}`,
    ...result,
    error: errorOf(stopped),
  });
}

function errorOf({ line, message, parameters }: Stopped): object {
  return { line, message, parameters };
}

function shown({ line, series, timeUs, value }: BulkPoint): object {
  const { sensorId: sensor_id, sensorType: sensor_type, unit, location = null } = series;
  return { line, sensor_id, sensor_type, observed_at: instantText(timeUs), value, unit, location };
}

function answer(status: number, body: object): ProtocolResponse {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
