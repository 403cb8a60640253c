/** Programs that are expected to give a sign of life, and addresses that are given one. */
import { quoted } from "../../../lib/quoted.ts";
import { DEFAULT_GRACE_MS, MAX_HEARTBEATS, MAX_PINGS, MIN_INTERVAL_MS } from "../../heartbeats/limits.ts";
import type { HeartbeatConfig, PingConfig } from "../config.ts";
import { DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS } from "../limits.ts";
import { readDuration } from "./duration.ts";
import { requiredSecret } from "./http-channel.ts";
import { readDefinition } from "./reference.ts";
import { readSecret } from "./secret.ts";
import { urlTrouble } from "./troubles.ts";
import type { Fields, Known, Value } from "./value.ts";

const HEARTBEAT: Known = {
  of: "a heartbeat",
  names: ["name", "interval", "grace", "labels", "runbook_url", "token", "token_file"],
};
const PING: Known = { of: "a ping", names: ["name", "url", "url_file", "interval", "method", "timeout"] };
/** It is a part of the address. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const LABEL = /^[A-Za-z_][A-Za-z0-9_]{0,99}$/;
/** Set by the platform. */
const OWN_LABELS = ["alertname", "heartbeat"];
const MAX_LABELS = 20;
const MAX_LABEL_CHARACTERS = 1_000;
/** 16 characters of base64 are 96 bits. */
const MIN_TOKEN_CHARACTERS = 16;

export function readHeartbeats(value: Value | undefined): HeartbeatConfig[] {
  const names = new Set<string>();
  return (value?.items(MAX_HEARTBEATS) ?? []).flatMap((item) => {
    const fields = item.fields(HEARTBEAT);
    if (fields === undefined) return [];
    const name = readName(fields, "a heartbeat", names);
    const grace = fields.get("grace");
    const runbookUrl = fields.get("runbook_url")?.line();
    const token = readSecret(fields, "token", tokenTrouble);
    return [
      {
        ...{ name, intervalMs: readInterval(fields), labels: readLabels(fields.get("labels")) },
        graceMs: (grace && readDuration(grace)) ?? DEFAULT_GRACE_MS,
        ...(runbookUrl === undefined ? {} : { runbookUrl }),
        ...(token === undefined ? {} : { token }),
      },
    ];
  });
}

export function readPings(value: Value | undefined): PingConfig[] {
  const names = new Set<string>();
  return (value?.items(MAX_PINGS) ?? []).flatMap((item) => {
    const fields = item.fields(PING);
    if (fields === undefined) return [];
    const name = readName(fields, "a ping", names);
    const url = requiredSecret(fields, "url", urlTrouble);
    const timeout = fields.get("timeout");
    const timeoutMs = (timeout && readDuration(timeout, { mostMs: MAX_TIMEOUT_MS })) || DEFAULT_TIMEOUT_MS;
    const method = readMethod(fields.get("method"));
    return url === undefined ? [] : [{ name, url, method, timeoutMs, intervalMs: readInterval(fields) }];
  });
}

function readName(fields: Fields, what: string, names: Set<string>): string {
  const place = fields.required("name");
  const name = readDefinition(place, what, names);
  if (name !== "" && !NAME.test(name)) {
    place?.problem(
      `${quoted(name)} is no such name: write at most 100 letters, digits, dots, hyphens and underscores.`,
    );
  }
  return name;
}

function readInterval(fields: Fields): number {
  const place = fields.required("interval");
  const ms = (place && readDuration(place)) ?? MIN_INTERVAL_MS;
  if (ms < MIN_INTERVAL_MS) place?.problem(`is shorter than ${MIN_INTERVAL_MS / 1_000}s: write a longer one.`);
  return ms;
}

function readMethod(value: Value | undefined): PingConfig["method"] {
  const text = value?.line();
  if (text === undefined || text === "GET" || text === "POST") return text ?? "GET";
  return value!.problem(`${quoted(text)} is neither GET nor POST.`) ?? "GET";
}

function readLabels(value: Value | undefined): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [name, place] of value?.entries(MAX_LABELS) ?? []) {
    const text = place.line(MAX_LABEL_CHARACTERS);
    if (OWN_LABELS.includes(name)) place.problem(`${name} is set by the platform: remove it.`);
    else if (!LABEL.test(name)) place.problem(`${quoted(name)} is no name of a label: write letters, digits and _.`);
    else if (text !== undefined) labels[name] = text;
  }
  return labels;
}

/** It is a part of the address, and must not be guessed. */
function tokenTrouble(text: string): string | undefined {
  if (!/^[A-Za-z0-9._~-]+$/.test(text))
    return "has a character other than letters, digits and . _ ~ -: an address would change it.";
  if (text.length >= MIN_TOKEN_CHARACTERS) return undefined;
  return `has fewer than ${MIN_TOKEN_CHARACTERS} characters: write for example what openssl rand -hex 16 prints.`;
}
