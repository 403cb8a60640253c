/** One bad field of a request, as a 422 names it. */
export interface Problem {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
  /** The limit that it broke. */
  readonly ctx?: Readonly<Record<string, unknown>>;
}

/** A check's verdict: the value to use, or what is wrong with it (`loc` and `input` are the caller's). */
export type Checked = { readonly value: unknown } | { readonly problem: Omit<Problem, "loc" | "input"> };

export function bad(type: string, msg: string, ctx?: Record<string, unknown>): Checked {
  return { problem: { type, msg, ...(ctx === undefined ? {} : { ctx }) } };
}
