/** Answers of what was asked for before the code of the console had come: the first call that sends the same takes each. */

export interface Early {
  /** What the calls take for now. */
  readonly nowMs: number;
  /** By what was sent. */
  readonly answers: Map<string, Promise<Response>>;
}

declare global {
  /** Undefined where a browser kept an older page. */
  var telltaleEarly: Early | undefined;
}

/** Older ones show too little: the page that they were for was not opened. */
const MAX_AGE_MS = 60_000;

export function earlyKey(path: string, body: Uint8Array): string {
  return `${path} ${body.join()}`;
}

/** Undefined where that was not asked for. */
export function takeEarly(address: string, body: unknown): Promise<Response> | undefined {
  const early = globalThis.telltaleEarly;
  if (early === undefined || early.answers.size === 0 || !(body instanceof Uint8Array)) return undefined;
  const key = earlyKey(new URL(address).pathname, body);
  const answer = early.answers.get(key);
  early.answers.delete(key);
  return Date.now() - early.nowMs > MAX_AGE_MS ? undefined : answer;
}

/** Who signs in afterwards is somebody else. */
export function dropEarly(): void {
  globalThis.telltaleEarly?.answers.clear();
}
