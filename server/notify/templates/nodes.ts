/** A template as it was parsed. `at`: offset of the node in its text. */

export type Node =
  | { readonly kind: "text"; readonly at: number; readonly text: string }
  | { readonly kind: "print"; readonly at: number; readonly pipe: Pipe }
  | {
      readonly kind: "if" | "with" | "range";
      readonly at: number;
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly kind: "template"; readonly at: number; readonly name: string; readonly pipe: Pipe | undefined }
  | { readonly kind: "break" | "continue"; readonly at: number };

export interface Pipe {
  readonly at: number;
  /** Of range one or two, otherwise at most one. */
  readonly variables: readonly string[];
  /** Whether the variables are there already. */
  readonly isAssignment: boolean;
  readonly commands: readonly Command[];
}

/** The first operand with the others as its arguments. */
export interface Command {
  readonly at: number;
  readonly operands: readonly [Operand, ...Operand[]];
}

export type Operand =
  | { readonly kind: "literal"; readonly at: number; readonly value: string | number | boolean | Float | undefined }
  | { readonly kind: "dot"; readonly at: number }
  | { readonly kind: "variable"; readonly at: number; readonly name: string }
  | { readonly kind: "function"; readonly at: number; readonly name: string }
  | { readonly kind: "pipe"; readonly at: number; readonly pipe: Pipe }
  | { readonly kind: "field"; readonly at: number; readonly of: Operand; readonly name: string };

/** A number with a fraction, which Go keeps apart from whole ones. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** Templates by name. */
export type Definitions = ReadonlyMap<string, Definition>;

export interface Definition {
  readonly body: readonly Node[];
  /** Whether it has nothing but blanks. */
  readonly isEmpty?: boolean;
  /** The text it was parsed from, and what it is called. */
  readonly source: string;
  readonly file: string;
}
