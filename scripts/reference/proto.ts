/** Comments of the contracts, by what they stand at: "Service.Method", "Message.field", "Enum.VALUE". */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import protobufjs from "protobufjs";

const FOLDER = "proto/telltale/v1";

export function protoComments(file: string): ReadonlyMap<string, string> {
  const { root } = protobufjs.parse(readFileSync(join(FOLDER, file), "utf8"), { alternateCommentMode: true });
  const found = new Map<string, string>();
  visit(root, found);
  return found;
}

function visit(object: protobufjs.ReflectionObject, found: Map<string, string>): void {
  const name = object.name;
  if (object.comment !== null) found.set(name, object.comment);
  if (object instanceof protobufjs.Service) {
    for (const m of object.methodsArray) if (m.comment !== null) found.set(`${name}.${m.name}`, m.comment);
  } else if (object instanceof protobufjs.Type) {
    for (const f of object.fieldsArray) if (f.comment !== null) found.set(`${name}.${f.name}`, f.comment);
  } else if (object instanceof protobufjs.Enum) {
    for (const [value, comment] of Object.entries(object.comments))
      if (comment !== null) found.set(`${name}.${value}`, comment);
  }
  if (object instanceof protobufjs.Namespace) for (const inner of object.nestedArray) visit(inner, found);
}
