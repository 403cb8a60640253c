/** A query that is not understood, not supported or cannot be answered. The message is for people, and names the part and its place. */
export class QueryProblem extends Error {
  /** As Prometheus tells them apart: what is wrong with the query, and what went wrong while it was evaluated. */
  readonly kind: "bad_data" | "execution";

  constructor(kind: "bad_data" | "execution", message: string) {
    super(message);
    this.name = "QueryProblem";
    this.kind = kind;
  }
}

export function badQuery(message: string): QueryProblem {
  return new QueryProblem("bad_data", message);
}

export function failed(message: string): QueryProblem {
  return new QueryProblem("execution", message);
}
