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
import { counted } from "../../../../formats/counted.ts";
import { TelltaleError } from "../../../errors.ts";
import { HttpRefusal } from "../../protocol.ts";
import { MAX_COLUMNAR_UPLOADS, MAX_SPOOLED_BYTES } from "./limits.ts";
import type { BulkOptions } from "./parameters.ts";
import { asUploadProblem, MAX_SERIES, openRows } from "./rows.ts";
import type { BulkSource, RefuseLine } from "./source.ts";

/** For another such upload at the same time. */
const RETRY_MS = 5_000;
/** Rows that a dry run looks at. */
const LOOKED_AT_ROWS = 1_000;

/** Opens uploads, so many at a time. */
export class ColumnarUploads {
  readonly #most: number;
  readonly #spooledBytes: number;
  #count = 0;

  /** @param spooledBytes of a file in the temporary folder */
  constructor(most: number = MAX_COLUMNAR_UPLOADS, spooledBytes: number = MAX_SPOOLED_BYTES) {
    this.#most = most;
    this.#spooledBytes = spooledBytes;
  }

  /**
   * The caller closes the source.
   *
   * @throws UploadProblem where it cannot be found out what the body says
   * @throws HttpRefusal 413 for a file that is too large, TelltaleError "exhausted" where there is no room
   */
  async open(body: AsyncIterable<Uint8Array>, options: BulkOptions, refuse: RefuseLine): Promise<BulkSource> {
    const leave = this.#enter();
    let file: FileHandle | undefined;
    let end: Recognised["close"] | undefined;
    const close = async () => {
      leave();
      await file?.close();
      await end?.();
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

  #enter(): () => void {
    if (this.#count >= this.#most) {
      const message = `${counted(this.#most, "upload")} of Parquet or Arrow are under way: try again later`;
      throw new TelltaleError("exhausted", message, { retryAfterMs: RETRY_MS });
    }
    this.#count++;
    return () => {
      this.#count--;
    };
  }

  async #spooled(pieces: AsyncIterable<Uint8Array>): Promise<FileHandle> {
    try {
      return await spool(pieces, this.#spooledBytes);
    } catch (error) {
      if (error instanceof SpoolFull) throw new HttpRefusal(413, "exhausted", error.message);
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      const message = "the temporary folder has no room for the file: send it again later, or as an Arrow stream";
      throw new TelltaleError("exhausted", message, { retryAfterMs: RETRY_MS });
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
