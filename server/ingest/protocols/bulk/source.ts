/** What the readers of an upload have in common. */
import type { JsonObject } from "@bufbuild/protobuf";
import type { Series } from "../points.ts";
import type { Format } from "./parameters.ts";

export interface BulkPoint {
  /** Of the body, from 1; of a table with typed columns the number of the row. */
  readonly line: number;
  readonly series: Series;
  /** Microseconds since 1970. */
  readonly timeUs: number;
  readonly value: number;
  readonly metadata?: Metadata;
}

export interface Metadata {
  readonly fields: JsonObject;
  /** Of the line that it came in. */
  readonly characters: number;
}

export interface BulkSource {
  /** As they come, some at a time. To be read once. @throws UploadProblem where the rest cannot be read */
  points(): AsyncIterable<readonly BulkPoint[]>;
  /** How the body was understood, for the answer. */
  understood(): Understood;
  /** Lines or cells that say that there is no value. */
  readonly missing: number;
  /** Whether a table has been read to its end. */
  readonly isWhole?: boolean;
  /** Gives back what the body has taken beside memory. */
  close?(): Promise<void>;
}

export interface Understood {
  readonly format: Format;
  /** In one sentence. */
  readonly description: string;
  readonly [name: string]: unknown;
}

/** Called for each line that becomes no reading: nothing of it is stored. */
export type RefuseLine = (line: number, message: string) => void;

/** Why no more of an upload is read: it could be read in two ways, or in none. The message says which parameter decides. */
export class UploadProblem extends Error {
  /** On which that was found; undefined where it is no one line. */
  readonly line: number | undefined;
  /** Names of those that decide. */
  readonly parameters: readonly string[];

  constructor(message: string, { line, parameters = [] }: { line?: number; parameters?: readonly string[] } = {}) {
    super(message);
    this.line = line;
    this.parameters = parameters;
  }
}
