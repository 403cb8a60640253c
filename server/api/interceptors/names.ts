import { clone, type DescMessage, isMessage, type Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { IngestService } from "../../../gen/es/telltale/v1/ingest_pb.ts";
import { RegistryService } from "../../../gen/es/telltale/v1/registry_pb.ts";
import type { Names, SensorNames } from "../../store/names.ts";

const FIELDS = new Set(["sensor_id", "sensor_ids"]);
/** Of a message, whether it names sensors, itself or in what is in it. */
const naming = new Map<DescMessage, boolean>();

/**
 * Calls may name a sensor by any id that leads to it: the services see the one that is shown, by which everything is found and rights are
 * given. Readings have their own way, and whoever renames says what he means.
 */
export function namesInterceptor(names: Pick<SensorNames, "current">): Interceptor {
  const { renameSensor } = RegistryService.method;
  return (next) => async (request) => {
    const { current } = names;
    if (current.size === 0 || request.service.typeName === IngestService.typeName || request.method === renameSensor)
      return next(request);
    if (!namesSensors(request.method.input)) return next(request);
    if (!request.stream)
      return next({ ...request, message: shown(request.method.input, request.message, current) as never });
    return next({ ...request, message: each(request.message, request.method.input, current) as never });
  };
}

async function* each(messages: AsyncIterable<unknown>, desc: DescMessage, names: Names): AsyncIterable<unknown> {
  for await (const message of messages) yield shown(desc, message as Message, names);
}

/** A copy: whoever wrote the request down keeps what was asked. */
function shown(desc: DescMessage, message: Message, names: Names): Message {
  const copy = clone(desc, message);
  replace(desc, copy as unknown as Record<string, unknown>, names);
  return copy;
}

function replace(desc: DescMessage, message: Record<string, unknown>, names: Names): void {
  for (const field of desc.fields) {
    const value = message[field.localName];
    if (field.message === undefined) {
      if (!FIELDS.has(field.name)) continue;
      if (typeof value === "string") message[field.localName] = names.shownOf(value);
      else if (Array.isArray(value)) message[field.localName] = value.map((id: string) => names.shownOf(id));
      continue;
    }
    if (!namesSensors(field.message)) continue;
    for (const item of Array.isArray(value) ? value : [value])
      if (isMessage(item, field.message)) replace(field.message, item as unknown as Record<string, unknown>, names);
  }
}

function namesSensors(desc: DescMessage): boolean {
  const known = naming.get(desc);
  if (known !== undefined) return known;
  // Of a message that is in itself.
  naming.set(desc, false);
  const found = desc.fields.some(({ name, message }) => FIELDS.has(name) || (message && namesSensors(message)));
  naming.set(desc, found);
  return found;
}
