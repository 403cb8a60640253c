/** Changes of profiles as files give them, before they are a request. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SensorChangeSchema } from "../../gen/es/telltale/v1/registry_pb.ts";

/** Fields of a file, by the contract's names. */
export const TEXT_FIELDS = ["display_name", "description", "owner", "runbook_url", "asset"] as const;
export const FIELDS: readonly string[] = ["sensor_id", ...TEXT_FIELDS, "tags", "attributes", "revision"];

/** What is wrong with a file, with the line. */
export class FileProblem extends Error {}

/** What a file says of one sensor. */
export interface Entry {
  /** Where it begins, from 1. */
  readonly line: number;
  /** The lines of its fields, where they are others. */
  readonly lines: ReadonlyMap<string, number>;
  readonly texts: ReadonlyMap<string, string>;
  readonly tags: readonly string[] | undefined;
  readonly attributes: Readonly<Record<string, string>> | undefined;
}

/** The fields that the entry has are set, also to what is empty. */
export function changeOf(file: string, { line, lines, texts, tags, attributes }: Entry): Change {
  const text = (name: string) => texts.get(name) ?? "";
  const sensorId = text("sensor_id");
  if (sensorId === "") throw new FileProblem(`${file}, line ${line}: sensor_id is missing.`);
  const revision = texts.get("revision");
  if (revision !== undefined && !/^\d{1,15}$/.test(revision)) {
    const at = lines.get("revision") ?? line;
    throw new FileProblem(`${file}, line ${at}: revision is ${JSON.stringify(revision)}; wanted a whole number.`);
  }
  return {
    profile: {
      ...{ sensorId, displayName: text("display_name"), description: text("description"), owner: text("owner") },
      ...{
        runbookUrl: text("runbook_url"),
        asset: text("asset"),
        tags: [...(tags ?? [])],
        attributes: { ...attributes },
      },
      ...(revision === undefined ? {} : { revision: BigInt(revision) }),
    },
    updateFields: [
      ...TEXT_FIELDS.filter((name) => texts.has(name)),
      ...(tags === undefined ? [] : ["tags"]),
      ...(attributes === undefined ? [] : ["attributes"]),
    ],
  };
}

export type Change = MessageInitShape<typeof SensorChangeSchema>;
