import { clone, type DescMessage, isMessage, type Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { IngestService } from "../../../gen/es/telltale/v1/ingest_pb.ts";
import { RegistryService } from "../../../gen/es/telltale/v1/registry_pb.ts";
import { canAccessSensor } from "../../security/principal.ts";
import type { SensorNames } from "../../store/names.ts";
import { principalKey } from "../principal.ts";

const FIELDS = new Set(["sensor_id", "sensor_ids"]);
/** Of a message, whether it names sensors, itself or in what is in it. */
const naming = new Map<DescMessage, boolean>();

/** The id to look by, for one that a caller gave. */
type Resolve = (sensorId: string) => string;

/**
 * Calls may name a sensor by any id that leads to it: the services see the one that is shown, by which everything is found and rights are
 * given. An id that leads to a sensor which the caller may not see is left as it was given: no sensor is found by it, and no answer says
 * what that sensor is called. Readings have their own way, and whoever renames says what he means.
 */
export function namesInterceptor(names: Pick<SensorNames, "current">): Interceptor {
  const { renameSensor } = RegistryService.method;
  return (next) => async (request) => {
    const { current } = names;
    if (current.size === 0 || request.service.typeName === IngestService.typeName || request.method === renameSensor)
      return next(request);
    if (!namesSensors(request.method.input)) return next(request);
    const principal = request.contextValues.get(principalKey);
    const resolve: Resolve = (sensorId) => {
      const shown = current.shownOf(sensorId);
      return canAccessSensor(principal, shown) ? shown : sensorId;
    };
    if (!request.stream)
      return next({ ...request, message: resolved(request.method.input, request.message, resolve) as never });
    return next({ ...request, message: each(request.message, request.method.input, resolve) as never });
  };
}

async function* each(messages: AsyncIterable<unknown>, desc: DescMessage, resolve: Resolve): AsyncIterable<unknown> {
  for await (const message of messages) yield resolved(desc, message as Message, resolve);
}

/** A copy: whoever wrote the request down keeps what was asked. */
function resolved(desc: DescMessage, message: Message, resolve: Resolve): Message {
  const copy = clone(desc, message);
  replace(desc, copy as unknown as Record<string, unknown>, resolve);
  return copy;
}

function replace(desc: DescMessage, message: Record<string, unknown>, resolve: Resolve): void {
  for (const field of desc.fields) {
    const value = message[field.localName];
    if (field.message === undefined) {
      if (!FIELDS.has(field.name)) continue;
      if (typeof value === "string") message[field.localName] = resolve(value);
      else if (Array.isArray(value)) message[field.localName] = value.map(resolve);
      continue;
    }
    if (!namesSensors(field.message)) continue;
    for (const item of Array.isArray(value) ? value : [value])
      if (isMessage(item, field.message)) replace(field.message, item as unknown as Record<string, unknown>, resolve);
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
