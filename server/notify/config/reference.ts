/** A file, a variable or an address that a configuration names, and where it does. Whether it is there is not known. */
export interface Reference {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** Such as `receivers[1].webhook_configs[0].url_file`. */
  readonly path: string;
  readonly to: { readonly file: string } | { readonly env: string } | { readonly url: string };
}
