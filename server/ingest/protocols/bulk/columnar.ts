/** Parquet and Arrow by the reader of the commands: streams as they come, files from a temporary file, since what they hold stands at their end. */
import type { FileHandle } from "node:fs/promises";
import {
  type ColumnarOptions,
  type ColumnarReader,
  openColumnarFile,
  openColumnarStream,
  type Recognised,
  randomAccess,
  recognised,
  SpoolFull,
  spool,
} from "../../../../formats/columnar/index.ts";
import { TemporaryFolderFull } from "../../../../formats/unnamed.ts";
import { storageFull, TelltaleError } from "../../../errors.ts";
import { Shares } from "../../../lib/shares.ts";
import { HttpRefusal } from "../../protocol.ts";
import { MAX_COLUMNAR_UPLOADS, MAX_SPOOLED_BYTES } from "./limits.ts";
import type { BulkOptions } from "./parameters.ts";
import { asUploadProblem, MAX_SERIES, openRows } from "./rows.ts";
import type { BulkSource, RefuseLine } from "./source.ts";

/** For another such upload at the same time. */
const RETRY_MS = 5_000;
/** Rows that a dry run looks at. */
const LOOKED_AT_ROWS = 1_000;

export interface OpenedUpload {
  /** See `StreamedRequest`. */
  readonly who: string;
  readonly options: BulkOptions;
  readonly refuse: RefuseLine;
}

/** Opens uploads, so many at a time, which callers share. */
export class ColumnarUploads {
  readonly #most: number;
  readonly #shares: Shares;
  readonly #spooledBytes: number;

  /** @param spooledBytes of a file in the temporary folder */
  constructor(most: number = MAX_COLUMNAR_UPLOADS, spooledBytes: number = MAX_SPOOLED_BYTES) {
    this.#most = most;
    this.#shares = new Shares(most);
    this.#spooledBytes = spooledBytes;
  }

  /**
   * The caller closes the source.
   *
   * @throws UploadProblem where it cannot be found out what the body says
   * @throws HttpRefusal 413 for a file that is too large, TelltaleError "exhausted" where there is no room
   */
  async open(body: AsyncIterable<Uint8Array>, { who, options, refuse }: OpenedUpload): Promise<BulkSource> {
    const leave = this.#enter(who);
    let file: FileHandle | undefined;
    let end: Recognised["close"] | undefined;
    const close = async () => {
      try {
        await file?.close();
        await end?.();
      } finally {
        leave();
      }
    };
    try {
      const { format: found, pieces, ...of } = await recognised(body);
      end = of.close;
      // What is neither is refused as what it should be.
      const format = options.format === "parquet" ? options.format : found === "arrow-file" ? found : "arrow-stream";
      if (format !== "arrow-stream") file = await this.#spooled(pieces);
      const spooled = file;
      const open = async (how: ColumnarOptions) =>
        format === "arrow-stream" || spooled === undefined
          ? await openColumnarStream(pieces, how)
          : await openColumnarFile(format, await randomAccess(spooled), how);
      return Object.assign(await openTable(open, options, refuse), { close });
    } catch (error) {
      await close();
      throw asUploadProblem(error);
    }
  }

  #enter(who: string): () => void {
    const leave = this.#shares.enter(who);
    if (leave !== undefined) return leave;
    const message = `you have ${this.#shares.heldBy(who)} of ${this.#shares.taken} uploads of Parquet or Arrow under way, and ${this.#most} are for all: try again later`;
    throw new TelltaleError("exhausted", message, { retryAfterMs: RETRY_MS });
  }

  async #spooled(pieces: AsyncIterable<Uint8Array>): Promise<FileHandle> {
    try {
      return await spool(pieces, this.#spooledBytes);
    } catch (error) {
      if (error instanceof SpoolFull) throw new HttpRefusal(413, "exhausted", error.message);
      if (!(error instanceof TemporaryFolderFull)) throw error;
      const why = "the server's temporary folder has no room for the file; an Arrow stream needs none";
      throw storageFull(why, error);
    }
  }
}

function openTable(
  open: (options: ColumnarOptions) => Promise<ColumnarReader>,
  { format, csv: options, dryRun }: BulkOptions,
  refuse: RefuseLine,
): Promise<BulkSource> {
  const maxRows = dryRun ? LOOKED_AT_ROWS : undefined;
  const how = { ...options, sensorId: undefined, maxSeries: MAX_SERIES, maxRows };
  return openRows(
    () => open(how),
    options.sensorId,
    refuse,
    () => () => ({ format }),
  );
}
