/** What people say of a sensor: its form, and the difference between two of them. Pure. */
import { type Attributes, attributesFault } from "../../formats/attributes.ts";
import { quoted } from "../lib/quoted.ts";
import { didYouMean } from "../lib/suggest.ts";

/** The fields that people set, in the order in which they are shown. */
export interface ProfileFields {
  readonly displayName: string;
  readonly description: string;
  readonly owner: string;
  readonly runbookUrl: string;
  readonly asset: string;
  /** Sorted, each once. */
  readonly tags: readonly string[];
  /** They overlay those that the sensor sends. */
  readonly attributes: Attributes;
}

export interface Profile extends ProfileFields {
  readonly sensorId: string;
  readonly revision: number;
  readonly updatedUs: number;
  readonly updatedBy: string;
}

export type FieldName = keyof ProfileFields;

/** By the names of the contract. */
const FIELD_NAMES: Readonly<Record<string, FieldName>> = {
  display_name: "displayName",
  description: "description",
  owner: "owner",
  runbook_url: "runbookUrl",
  asset: "asset",
  tags: "tags",
  attributes: "attributes",
};
const CONTRACT_NAMES = Object.keys(FIELD_NAMES);

export const EMPTY_PROFILE: ProfileFields = {
  displayName: "",
  description: "",
  owner: "",
  runbookUrl: "",
  asset: "",
  tags: [],
  attributes: {},
};

/** Names in a path: deeper trees are lists of sensors. */
const MAX_ASSET_DEPTH = 10;

/** What somebody wants of one sensor's profile. */
export interface Change {
  readonly sensorId: string;
  readonly fields: Partial<ProfileFields>;
  /** That it is based on; undefined: any. */
  readonly revision: number | undefined;
}

/** A field of a change that cannot be. */
export interface Fault {
  /** Name in the contract. */
  readonly field: string;
  readonly description: string;
}

export interface FieldDifference {
  /** Name in the contract; of an attribute "attributes." and its name. */
  readonly field: string;
  readonly from: string;
  readonly to: string;
}

/** The values of the fields named, or, where none is, of those that are not empty; and what is wrong with them. */
export function chosenFields(
  given: ProfileFields,
  names: readonly string[],
): { fields: Partial<ProfileFields>; faults: readonly Fault[] } {
  const unknown = names.filter((name) => !Object.hasOwn(FIELD_NAMES, name));
  const chosen = names.length === 0 ? CONTRACT_NAMES.filter((name) => !isEmptyField(given[FIELD_NAMES[name]!])) : names;
  const fields: Record<string, unknown> = {};
  for (const name of chosen) {
    const field = FIELD_NAMES[name];
    if (field !== undefined) fields[field] = field === "tags" ? sorted(given.tags) : given[field];
  }
  const faults = [
    ...unknown.map((name) => ({
      field: "update_fields",
      description: `${quoted(name)} is no field of a profile: give ${CONTRACT_NAMES.join(", ")}${didYouMean(name, CONTRACT_NAMES)}`,
    })),
    ...faultsOf(fields as Partial<ProfileFields>),
  ];
  return { fields: fields as Partial<ProfileFields>, faults };
}

function isEmptyField(value: ProfileFields[FieldName]): boolean {
  return typeof value === "string" || Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}

function sorted(tags: readonly string[]): string[] {
  return [...new Set(tags)].sort();
}

/** Rules that the contract cannot state. */
function faultsOf({ runbookUrl, asset, attributes }: Partial<ProfileFields>): Fault[] {
  const faults: Fault[] = [];
  if (runbookUrl !== undefined && runbookUrl !== "" && !isWebAddress(runbookUrl))
    faults.push({
      field: "runbook_url",
      description: `is ${quoted(runbookUrl)}: give an address that begins with http:// or https://`,
    });
  const wrong = asset === undefined ? undefined : assetFault(asset);
  if (wrong !== undefined) faults.push({ field: "asset", description: `is ${quoted(asset!)}: ${wrong}` });
  const odd = attributes === undefined ? undefined : attributesFault(attributes, quoted);
  if (odd !== undefined) faults.push({ field: "attributes", description: odd });
  return faults;
}

/** People click on it: no other scheme may stand there. */
function isWebAddress(text: string): boolean {
  return /^https?:\/\/[^\s/]/i.test(text) && URL.canParse(text);
}

/** What is wrong with the path of an asset; undefined where nothing is. */
export function assetFault(asset: string): string | undefined {
  const names = asset === "" ? [] : asset.split("/");
  if (names.some((name) => name.trim() !== name || name === ""))
    return "give names with one slash between, none of them empty or with blanks around it, such as site/line/machine";
  return names.length > MAX_ASSET_DEPTH ? `give at most ${MAX_ASSET_DEPTH} names` : undefined;
}

/** The fields that the change makes different. */
export function differenceOf(before: ProfileFields, fields: Partial<ProfileFields>): FieldDifference[] {
  return CONTRACT_NAMES.flatMap((name): FieldDifference[] => {
    const field = FIELD_NAMES[name]!;
    const to = fields[field];
    if (to === undefined) return [];
    if (field === "attributes") return attributeDifference(before.attributes, to as Attributes);
    const [from, after] = [textOf(before[field]), textOf(to)];
    return from === after ? [] : [{ field: name, from, to: after }];
  });
}

function attributeDifference(before: Attributes, after: Attributes): FieldDifference[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names
    .map((name) => ({ field: `attributes.${name}`, from: own(before, name), to: own(after, name) }))
    .filter(({ from, to }) => from !== to)
    .map(({ field, from = "", to = "" }) => ({ field, from, to }));
}

function own(attributes: Attributes, name: string): string | undefined {
  return Object.hasOwn(attributes, name) ? attributes[name] : undefined;
}

function textOf(value: ProfileFields[FieldName]): string {
  return Array.isArray(value) ? value.join(", ") : (value as string);
}

/** Those in force: what was sent, overlaid by what people edited. An empty one hides what was sent. */
export function attributesInForce(sent: Attributes, edited: Attributes): Attributes {
  const all = { ...sent, ...edited };
  for (const name in edited) if (edited[name] === "") delete (all as Record<string, string>)[name];
  return all;
}
