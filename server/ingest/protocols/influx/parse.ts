/**
 * InfluxDB's line protocol. Pure. What names a series is handed on as it stands in the line, with its escapes: most series are known
 * already, and are found by it.
 */
import { quoted } from "../../../lib/quoted.ts";
import type { Label } from "../identity.ts";

export interface LineField {
  /** With its escapes. */
  readonly key: string;
  readonly value: number;
}

/** A line without its texts. */
export interface Line {
  /** Measurement and tags, with their escapes. */
  readonly series: string;
  /** Those with numbers and booleans, at least one. */
  readonly fields: readonly LineField[];
  /** Digits; empty where the line has no time. */
  readonly time: string;
}

export interface LineFault {
  /** From 1 on. */
  readonly line: number;
  readonly message: string;
}

export interface ParsedLines {
  /** Fields whose value is a text. */
  readonly strings: number;
  readonly faults: readonly LineFault[];
  readonly faulty: number;
}

/** What is wrong with a line. */
export class LineError extends Error {}

/** Of faults; the others are counted. */
const MAX_FAULTS = 20;

/** @param take throws LineError for a line that it does not take */
export function parseLines(text: string, take: (line: Line) => void): ParsedLines {
  const faults: LineFault[] = [];
  let faulty = 0;
  let strings = 0;
  const scan = new LineScan(text);
  while (scan.next()) {
    try {
      const line = scan.read();
      strings += scan.strings;
      if (line.fields.length > 0) take(line);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      faulty++;
      if (faults.length < MAX_FAULTS) faults.push({ line: scan.line, message: error.message });
      scan.skip();
    }
  }
  return { strings, faults, faulty };
}

/** Most lines have one: an empty list that one is put into has room for sixteen more. */
const NO_FIELDS: LineField[] = [];

const [NEWLINE, RETURN, TAB, SPACE, QUOTE, HASH, COMMA, EQUALS, BACKSLASH] = [10, 13, 9, 32, 34, 35, 44, 61, 92];

class LineScan {
  readonly #text: string;
  #at = 0;
  /** Of the line under way. */
  #start = 0;
  /** Number of the line under way, and of the next one's first. */
  line = 0;
  #nextLine = 1;
  strings = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Goes to the next line that holds something; false at the end. */
  next(): boolean {
    const text = this.#text;
    for (;;) {
      let c = text.charCodeAt(this.#at);
      while (c === SPACE || c === TAB || c === RETURN || c === NEWLINE || c === 0) {
        if (c === NEWLINE) this.#nextLine++;
        c = text.charCodeAt(++this.#at);
      }
      if (this.#at >= text.length) return false;
      this.line = this.#nextLine;
      this.#start = this.#at;
      if (c !== HASH) return true;
      this.skip();
    }
  }

  /** Goes behind the line under way, wherever reading it has stopped. */
  skip(): void {
    // A text with line breaks that was read is not looked at again.
    const end = this.#text.indexOf("\n", Math.max(this.#at, this.#start));
    this.#at = end < 0 ? this.#text.length : end;
  }

  read(): Line {
    const text = this.#text;
    this.strings = 0;
    const series = text.slice(this.#at, this.#toSpace());
    if (series.charCodeAt(0) === COMMA) throw new LineError("the measurement is missing");
    while (text.charCodeAt(this.#at) === SPACE) this.#at++;
    let fields = NO_FIELDS;
    do {
      const field = this.#field();
      if (field === undefined) this.strings++;
      else if (fields.length === 0) fields = [field];
      else fields.push(field);
    } while (this.#passes(COMMA));
    return { series, fields, time: this.#time() };
  }

  /** Goes behind measurement and tags. */
  #toSpace(): number {
    const text = this.#text;
    for (let at = this.#at; at < text.length; at++) {
      const c = text.charCodeAt(at);
      if (c === NEWLINE) break;
      if (c !== SPACE || (at > this.#at && text.charCodeAt(at - 1) === BACKSLASH)) continue;
      this.#at = at;
      return at;
    }
    throw new LineError("has no fields");
  }

  /** Goes behind the key of a field. */
  #toEquals(): number {
    const text = this.#text;
    const from = this.#at;
    for (let at = from; at < text.length; at++) {
      const c = text.charCodeAt(at);
      if (c === NEWLINE) break;
      if ((c !== EQUALS && c !== COMMA && c !== SPACE) || (at > from && text.charCodeAt(at - 1) === BACKSLASH))
        continue;
      // No part of a key: what stands before it has no value.
      if (c !== EQUALS) break;
      this.#at = at;
      return at;
    }
    throw new LineError(this.#decimalComma(from) ?? "a field has no value: write KEY=VALUE");
  }

  /** What to write where a field that has no value is what stands behind the comma of a number. */
  #decimalComma(from: number): string | undefined {
    const text = this.#text;
    const whole = WHOLE.exec(text.slice(Math.max(this.#start, from - MAX_NUMBER), from))?.[1];
    const fraction = FRACTION.exec(text.slice(from, from + MAX_NUMBER))?.[0];
    if (whole === undefined || fraction === undefined) return undefined;
    return `${quoted(`${whole},${fraction}`)} has a decimal comma: write ${whole}.${fraction}`;
  }

  /** Undefined: it holds a text. */
  #field(): LineField | undefined {
    const text = this.#text;
    const from = this.#at;
    const end = this.#toEquals();
    if (end === from) throw new LineError("a field has no key: write KEY=VALUE");
    const key = text.slice(from, end);
    this.#at++;
    if (text.charCodeAt(this.#at) === QUOTE) {
      this.#string(key);
      return undefined;
    }
    const begin = this.#at;
    let at = begin;
    for (let c = text.charCodeAt(at); at < text.length; c = text.charCodeAt(++at))
      if (c === COMMA || c === SPACE || c === NEWLINE || c === RETURN) break;
    this.#at = at;
    return { key, value: numberOf(text.slice(begin, at), key) };
  }

  /** Goes behind a text. It may hold line breaks. */
  #string(key: string): void {
    const text = this.#text;
    for (let at = this.#at + 1; at < text.length; at++) {
      const c = text.charCodeAt(at);
      if (c === BACKSLASH) {
        at++;
        if (text.charCodeAt(at) === NEWLINE) this.#nextLine++;
      } else if (c === NEWLINE) this.#nextLine++;
      else if (c === QUOTE) {
        this.#at = at + 1;
        return;
      }
    }
    // What was taken for its lines is read as such again.
    this.#nextLine = this.line;
    throw new LineError(`the text of field ${quoted(key)} does not end`);
  }

  #passes(c: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== c) return false;
    this.#at++;
    return true;
  }

  /** The rest of the line. */
  #time(): string {
    const found = this.#text.indexOf("\n", this.#at);
    const end = found < 0 ? this.#text.length : found;
    const rest = this.#text.slice(this.#at, end);
    const time = rest.trim();
    if (time !== "" && (!TIME.test(time) || rest.charCodeAt(0) !== SPACE))
      throw new LineError(`${quoted(time)} is no time: write whole numbers`);
    this.#at = end;
    return time;
  }
}

/** Digits of a number with a decimal comma, and what is looked at for them. */
const MAX_NUMBER = 40;
const WHOLE = /=([+-]?\d+),$/;
const FRACTION = /^\d+(?=[\s,]|$)/;
const TIME = /^-?\d{1,19}$/;
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;
const INTEGER = /^(-?\d+i|\d+u)$/;
const BOOLEANS: ReadonlyMap<string, number> = new Map([
  ...["t", "T", "true", "True", "TRUE"].map((word): [string, number] => [word, 1]),
  ...["f", "F", "false", "False", "FALSE"].map((word): [string, number] => [word, 0]),
]);

function numberOf(text: string, key: string): number {
  if (NUMBER.test(text)) {
    const number = Number(text);
    if (Number.isFinite(number)) return number;
    throw new LineError(`field ${quoted(key)} has a value beyond double precision: ${quoted(text)}`);
  }
  if (INTEGER.test(text)) return integerOf(text, key);
  const value = BOOLEANS.get(text);
  if (value === undefined) {
    const wanted = "write a number, an integer such as 1i, a boolean or a text in quotes";
    throw new LineError(`field ${quoted(key)} has the value ${quoted(text)}: ${wanted}`);
  }
  return value;
}

/** Of so many digits none is past 64 bits. */
const SAFE_DIGITS = 18;

function integerOf(text: string, key: string): number {
  const digits = text.slice(0, -1);
  if (digits.length <= SAFE_DIGITS) return Number(digits);
  const number = BigInt(digits);
  const isInRange = text.endsWith("u") ? number < 2n ** 64n : BigInt.asIntN(64, number) === number;
  if (isInRange) return Number(number);
  throw new LineError(`field ${quoted(key)} has an integer beyond 64 bits: ${quoted(text)}`);
}

/** Measurement and tags of a series. @throws LineError */
export function seriesOf(series: string): { measurement: string; tags: Label[] } {
  const [measurement = "", ...parts] = splitUnescaped(series, ",");
  const tags = parts.map((part): Label => {
    const [key = "", ...rest] = splitUnescaped(part, "=");
    const value = rest.join("=");
    if (key === "" || value === "") throw new LineError(`tag ${quoted(part)} has no key or no value: write KEY=VALUE`);
    return [unescapeKey(key), unescapeKey(value)];
  });
  const keys = new Set<string>();
  for (const [key] of tags) {
    if (keys.has(key)) throw new LineError(`tag ${quoted(key)} is there twice`);
    keys.add(key);
  }
  return { measurement: measurement.replace(/\\([, ])/g, "$1"), tags };
}

/** Of a key of a field or a tag, or the value of a tag. */
export function unescapeKey(text: string): string {
  return text.replace(/\\([,= ])/g, "$1");
}

function splitUnescaped(text: string, at: "," | "="): string[] {
  const parts: string[] = [];
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== at || text[i - 1] === "\\") continue;
    parts.push(text.slice(from, i));
    from = i + 1;
  }
  return [...parts, text.slice(from)];
}
