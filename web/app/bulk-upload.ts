/** Files to the bulk upload: a look at the beginning, and the whole, which the browser reads from the disk while it sends it. */
import type { Understood } from "./csv-options.ts";
import { boundHeaders } from "./transport.ts";

const PATH = "/api/v1/sensors/data/bulk";
/** The server looks at 64 KiB; the byte beyond tells it that there is more. */
const HEAD_BYTES = 64 * 1024 + 1;

export interface Refusal {
  readonly line: number;
  readonly reason: string;
  readonly message: string;
}

interface Answered {
  readonly status: number;
  /** With any status but 200. */
  readonly detail?: string;
  readonly error?: { readonly line?: number; readonly message: string; readonly parameters: readonly string[] };
  readonly rejected: number;
  readonly missing: number;
  readonly refusals: readonly Refusal[];
  readonly understood: Understood | null;
  readonly sensors: number;
  readonly sensor_ids: readonly string[];
}

export interface Look extends Answered {
  /** Whether the beginning is the whole file. */
  readonly whole: boolean;
  readonly readings: number;
  readonly out_of_order: number;
  readonly first: readonly {
    readonly line: number;
    readonly sensor_id: string;
    readonly sensor_type: string;
    readonly observed_at: string;
    readonly value: number;
    readonly unit: string;
  }[];
  /** The first, as they stand; null where they cannot be told apart, absent where the caller was refused. */
  readonly rows?: readonly (readonly string[])[] | null;
}

export interface Stored extends Answered {
  readonly accepted: number;
  readonly duplicate: number;
  readonly conflicting: number;
  readonly late: number;
  /** Times of the first and the last reading; null where there is none. */
  readonly from: string | null;
  readonly to: string | null;
}

const isPacked = (file: Blob & { name?: string }) => /\.gz$/i.test(file.name ?? "");

/** How the file would be read. Nothing is stored. */
export async function lookAt(file: File, query: URLSearchParams, signal: AbortSignal): Promise<Look> {
  const body = isPacked(file) ? await unpackedHead(file) : file.slice(0, HEAD_BYTES);
  const asked = new URLSearchParams([...query, ["dry_run", "true"]]);
  const headers = { "content-type": "text/csv", ...boundHeaders() };
  const response = await fetch(`${PATH}?${asked}`, { method: "POST", body, headers, signal });
  return answerOf(response.status, await response.text());
}

async function unpackedHead(file: File): Promise<Blob> {
  const reader = file.stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let bytes = 0; bytes < HEAD_BYTES; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    bytes += value.length;
  }
  await reader.cancel();
  return new Blob(parts).slice(0, HEAD_BYTES);
}

/**
 * Sends all of it. Not by fetch, which does not tell how far a body is.
 *
 * @param onSent called with the share that is sent, 0 to 1
 * @throws UploadGone where there is no answer
 */
export function store(
  file: Blob,
  query: URLSearchParams,
  signal: AbortSignal,
  onSent: (share: number) => void,
): Promise<Stored> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${PATH}?${query}`);
    request.setRequestHeader("content-type", "text/csv");
    for (const [name, value] of Object.entries(boundHeaders())) request.setRequestHeader(name, value);
    if (isPacked(file)) request.setRequestHeader("content-encoding", "gzip");
    request.upload.onprogress = ({ loaded, total }) => onSent(total === 0 ? 1 : loaded / total);
    request.onload = () => {
      try {
        resolve(answerOf(request.status, request.responseText));
      } catch (error) {
        reject(error as Error);
      }
    };
    request.onerror = () => reject(new UploadGone("The connection broke off, or the file changed while it was sent."));
    request.onabort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}

/** What was sent by then may be stored. */
export class UploadGone extends Error {}

function answerOf<T extends Answered>(status: number, text: string): T {
  try {
    return { ...(JSON.parse(text) as T), status };
  } catch (cause) {
    throw new UploadGone(`The platform answered ${status} without saying why.`, { cause });
  }
}
