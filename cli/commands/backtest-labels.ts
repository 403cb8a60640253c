import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type LabelledEvent, LabelledEventSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import { parseTime } from "../../ml/series.ts";

/**
 * Labelled events of a file: CSV with the columns sensor_id, start, end (as `simulate` writes them), or a JSON list of
 * [start, end] pairs of the one sensor `sensorId`. Throws with the line that is wrong.
 */
export function parseLabels(file: string, text: string, sensorId: string | undefined): LabelledEvent[] {
  return text.trimStart().startsWith("[") ? fromJson(file, text, sensorId) : fromCsv(file, text);
}

function fromJson(file: string, text: string, sensorId: string | undefined): LabelledEvent[] {
  const content: unknown = JSON.parse(text);
  if (!Array.isArray(content)) throw new Error(`${file} is no JSON list of [start, end] pairs`);
  if (sensorId === undefined) throw new Error(`${file} names no sensors: give --sensor-id, once`);
  return content.map((pair: unknown, i) => {
    const [from, until] = Array.isArray(pair) ? pair.map(String) : [];
    const event = eventOf(sensorId, from, until);
    if (event !== undefined) return event;
    throw new Error(`${file}: label ${i + 1} is ${JSON.stringify(pair)}; wanted [start, end] as ISO 8601 times`);
  });
}

function fromCsv(file: string, text: string): LabelledEvent[] {
  const [header = "", ...lines] = text.split(/\r?\n/);
  const names = header.split(",");
  const [sensor, start, end] = ["sensor_id", "start", "end"].map((name) => names.indexOf(name)) as [
    number,
    number,
    number,
  ];
  if (Math.min(sensor, start, end) < 0) {
    throw new Error(`${file} begins with "${header.slice(0, 80)}"; wanted the columns sensor_id, start, end`);
  }
  return lines.flatMap((line, i) => {
    if (line === "") return [];
    const cells = line.split(",");
    const event = eventOf(cells[sensor] ?? "", cells[start], cells[end]);
    if (event !== undefined) return event;
    throw new Error(`${file}, line ${i + 2}: "${line.slice(0, 80)}" has no sensor_id, or no start before its end`);
  });
}

function eventOf(sensorId: string, from = "", until = ""): LabelledEvent | undefined {
  const [fromUs, untilUs] = [parseTime(from), parseTime(until)];
  if (sensorId === "" || !(fromUs <= untilUs)) return undefined;
  const time = (us: number) => timestampFromMs(us / 1000);
  return create(LabelledEventSchema, { sensorId, startTime: time(fromUs), endTime: time(untilUs) });
}
