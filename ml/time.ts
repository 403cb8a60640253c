const FORM =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(?:Z|([+-])(\d\d)(?::?(\d\d))?(?::?(\d\d))?)?$/i;

/**
 * Whole microseconds since 1970 of an ISO 8601 time as Python, PostgreSQL and JSON exports write it; UTC where it names no
 * offset. What is finer than a microsecond is cut off. NaN where it is no such time.
 */
export function parseInstant(text: string): number {
  const parts = FORM.exec(text.trim());
  if (parts === null) return Number.NaN;
  const [, year, month, day, hour, minute, second = "0", fraction = "", sign, h = "0", m = "0", s = "0"] = parts;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return Number.NaN;
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return Number.NaN; // 30 February
  const offset = (Number(h) * 3600 + Number(m) * 60 + Number(s)) * (sign === "-" ? -1 : 1);
  const seconds = date.getTime() / 1000 + Number(hour) * 3600 + Number(minute) * 60 + Number(second) - offset;
  return seconds * 1e6 + Number(fraction.slice(0, 6).padEnd(6, "0"));
}

/** For people: as long as it has to be. */
export function instantText(us: number): string {
  const micros = ((us % 1000) + 1000) % 1000;
  const iso = new Date((us - micros) / 1000).toISOString();
  return micros === 0 ? iso : iso.replace("Z", `${String(micros).padStart(3, "0")}Z`);
}
