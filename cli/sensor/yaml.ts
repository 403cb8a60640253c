/** Profiles in YAML: a list of sensors, or an object whose `sensors` is one. Every scalar is a text: 007 stays 007. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, stringify } from "yaml";
import type { RegisteredSensor } from "../../gen/es/telltale/v1/registry_pb.ts";
import { didYouMean } from "../../server/lib/suggest.ts";
import { type Entry, FIELDS, FileProblem } from "./change.ts";

export function readYaml(file: string, text: string): Entry[] {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { schema: "failsafe", lineCounter });
  const lineOf = (node: Node | null | undefined) => lineCounter.linePos(node?.range?.[0] ?? 0).line;
  const fail = (node: Node | null | undefined, what: string): never => {
    throw new FileProblem(`${file}, line ${lineOf(node)}: ${what}`);
  };
  const [error] = document.errors;
  if (error !== undefined)
    throw new FileProblem(`${file}, line ${error.linePos?.[0].line ?? 1}: ${error.message.split("\n")[0]}`);
  const resolved = (node: unknown): Node | undefined =>
    (isAlias(node) ? node.resolve(document) : (node as Node | null)) ?? undefined;

  const textOf = (node: Node | undefined, name: string): string =>
    isScalar(node) && typeof node.value === "string" ? node.value : fail(node, `${name} is no text.`);

  const pairsOf = (node: Node | undefined, name: string): [key: string, at: Node, value: Node | undefined][] => {
    if (!isMap(node)) return fail(node, `${name} is no object: wanted names with values, such as owner: Ann.`);
    return node.items.map((pair) => [textOf(pair.key as Node, "a name"), pair.key as Node, resolved(pair.value)]);
  };

  const entryOf = (node: Node | undefined): Entry => {
    const texts = new Map<string, string>();
    const lines = new Map<string, number>();
    let tags: string[] | undefined;
    let attributes: Record<string, string> | undefined;
    for (const [name, at, value] of pairsOf(node, "an entry of the list")) {
      if (!FIELDS.includes(name))
        fail(at, `${JSON.stringify(name)} is no field of a sensor${didYouMean(name, FIELDS) || "."}`);
      lines.set(name, lineOf(at));
      if (name === "tags") {
        if (!isSeq(value)) return fail(at, "tags is no list: write [hot, cold].");
        tags = value.items.map((item) => textOf(resolved(item), "a tag"));
      } else if (name === "attributes") {
        const pairs = pairsOf(value, "attributes").map(
          ([key, , each]) => [key, textOf(each, `attributes.${key}`)] as const,
        );
        attributes = Object.fromEntries(pairs);
      } else texts.set(name, textOf(value, name));
    }
    return { line: lineOf(node), lines, texts, tags, attributes };
  };

  const top = document.contents ?? undefined;
  const list = isMap(top) ? resolved(top.get("sensors", true)) : top;
  if (!isSeq(list)) return fail(list ?? top, "wanted a list of sensors, or sensors: with a list behind it.");
  return list.items.map((item) => entryOf(resolved(item)));
}

/** One entry of the list that `readYaml` reads. */
export function yamlEntry(sensor: RegisteredSensor): string {
  const { sensorId, displayName, description, owner, runbookUrl, asset, tags, editedAttributes } = sensor;
  const fields = {
    ...{ sensor_id: sensorId, display_name: displayName, description, owner, runbook_url: runbookUrl, asset },
    ...{ tags, attributes: editedAttributes },
  };
  const given = Object.entries(fields).filter(([, value]) =>
    typeof value === "object" ? Object.keys(value).length > 0 : value !== "",
  );
  return stringify([Object.fromEntries(given)], { lineWidth: 0 }).replace(/^(?=.)/gm, "  ");
}
