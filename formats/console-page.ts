/** What the gateway and the page of the console know of each other. */

/**
 * Of a call: the session that it was made in; the gateway refuses it where the browser's cookie is of another. Of an answer: the session that it
 * was given in. Absent where nobody signs in.
 */
export const SESSION_HEADER = "telltale-session-id";

/** The first thing that every page asks. */
export const GET_CALLER = "/telltale.v1.AdminService/GetCaller";

/** As the inbox begins, so that the gateway can answer it with the page. */
export const FIRST_ALERTS = { resolved: false, limit: 200 } as const;

/** Id of the element of the page that has the answers of its first calls, as JSON. */
export const FIRST_ANSWERS = "first-answers";

export interface FirstAnswers {
  /** That they were given in; absent where nobody signs in. */
  readonly session?: string;
  readonly answers: readonly FirstAnswer[];
}

export interface FirstAnswer {
  /** Of the call. */
  readonly path: string;
  readonly type: "application/json" | "application/proto";
  /** Bodies as they would go over the network, in base64. */
  readonly request: string;
  readonly answer: string;
}
