/** What a request gives, before it is read by its route. */
export interface Given {
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body?: Buffer;
  readonly contentType: string | undefined;
  /** Take a body's `timestamp` for `observed_at` where that is not given. */
  readonly acceptTimestamp: boolean;
}
