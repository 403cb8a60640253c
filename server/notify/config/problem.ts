/** What is wrong with a file, and what to do. Secrets are never quoted. */
export interface Problem {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** Where it stands in the tree, such as `receivers[1].slack_configs`; empty: the file as a whole. */
  readonly path: string;
  readonly message: string;
}
