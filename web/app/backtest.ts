/** What other settings would have done to the alerts of a sensor: which are kept, gone and added. */
import type { Alert } from "../../gen/web/telltale/v1/alert_pb.ts";
import type { Verdict, VerdictKind } from "../chart/verdicts.ts";
import type { SettingsForm } from "./detector-settings.ts";
import { msOf, plural } from "./format.ts";

export interface Compared {
  /** As stored where it is, else as it would have been. */
  readonly alert: Alert;
  readonly kind: VerdictKind;
}

/** A silence or an early alert lasts until it is closed, an excursion until it was last seen: as the platform compares them. */
function extentOf({ alertType, openedAt, lastSeenAt, closedAt }: Alert): { from: number; to: number } {
  const from = openedAt === undefined ? 0 : msOf(openedAt);
  const untilClosed = alertType === "silence" || alertType === "limit_forecast";
  const end = untilClosed ? closedAt : lastSeenAt;
  const open = untilClosed ? Number.POSITIVE_INFINITY : from;
  return { from, to: end === undefined ? open : msOf(end) };
}

function meets(a: Alert, b: Alert): boolean {
  const [one, other] = [extentOf(a), extentOf(b)];
  return one.from <= other.to && one.to >= other.from;
}

/** @param stored as raised live  @param tried as they would have been  @returns in the order of time */
export function compared(stored: readonly Alert[], tried: readonly Alert[]): Compared[] {
  const before = stored.map((alert): Compared => {
    const isKept = tried.some((other) => meets(other, alert));
    return { alert, kind: isKept ? "kept" : "gone" };
  });
  const added = tried.filter((alert) => !stored.some((other) => meets(alert, other)));
  const all = [...before, ...added.map((alert): Compared => ({ alert, kind: "added" }))];
  return all.sort((a, b) => extentOf(a.alert).from - extentOf(b.alert).from);
}

/** As a chart draws them. @param endMs of the range, for what is open then */
export function verdictsOf(all: readonly Compared[], endMs: number): Verdict[] {
  return all.map(({ alert, kind }) => {
    const { from, to } = extentOf(alert);
    return { kind, from, to: Math.min(to, endMs) };
  });
}

export function countOf(all: readonly Compared[], wanted: VerdictKind): number {
  return all.filter(({ kind }) => kind === wanted).length;
}

export function sentenceOf(all: readonly Compared[]): string {
  const [kept, gone, added] = (["kept", "gone", "added"] as const).map((kind) => countOf(all, kind)) as [
    number,
    number,
    number,
  ];
  if (all.length === 0) return "There was no alert in this range, and there would have been none.";
  const live = `Live there ${kept + gone === 1 ? "was" : "were"} ${plural(kept + gone, "alert")}`;
  const more = `${added} would have been raised in addition`;
  return kept + gone === 0 ? `Live there was no alert; ${more}.` : `${live}: ${kept} kept, ${gone} gone; ${more}.`;
}

/** The settings that differ from those of the sensor, as an address has them: `alarms_per_sensor_day:1,direction:3`. */
export function settingsText(form: SettingsForm, before: SettingsForm): string {
  const changed = Object.entries(form).filter(([field, text]) => text.trim() !== (before[field] ?? "").trim());
  return changed.map(([field, text]) => `${field}:${escaped(text.trim())}`).join(",");
}

/** A value may be a list. */
function escaped(value: string): string {
  return value.replaceAll("%", "%25").replaceAll(",", "%2C");
}

/** The form that the address asks for; fields that are none are left out. */
export function formOfText(text: string, before: SettingsForm): SettingsForm {
  const changes = text.split(",").flatMap((part) => {
    const [, field = "", value = ""] = /^([a-z_]+):(.*)$/.exec(part) ?? [];
    return Object.hasOwn(before, field) ? [[field, value.replaceAll("%2C", ",").replaceAll("%25", "%")] as const] : [];
  });
  return { ...before, ...Object.fromEntries(changes) };
}

/** A range as the address has it: two times with a slash between. */
export function spanText(from: string, to: string): string {
  return `${from}/${to}`;
}
