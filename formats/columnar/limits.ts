/** Bytes of a file in memory at once, of record batches or pages, packed and unpacked: a batch of two million readings of a sensor. Commands take sixteen times as many. */
export const MAX_COLUMNAR_BYTES = 64 * 1024 * 1024;
/** Columns, those within others counted: enough for a sensor in each. */
export const MAX_COLUMNS = 20_000;
/** Bytes of a column's name. */
export const MAX_NAME_BYTES = 1_000;
/** Bytes of a page of Parquet, packed or unpacked, and of all texts in it: writers make pages of one megabyte. */
export const MAX_PAGE_BYTES = 32 * 1024 * 1024;
/** Values of a page of Parquet: a run of one value says that it is any number of them in a few bytes. */
export const MAX_PAGE_VALUES = 2 * 1024 * 1024;
/** Bytes of the footer of Parquet: a hundred thousand columns of row groups. */
export const MAX_FOOTER_BYTES = 16 * 1024 * 1024;
/** Rows of a file, whatever its size. */
export const FREE_ROWS = 1_000_000;
/** Rows beyond these for each of its bytes: what repeats is packed to next to nothing. */
export const MAX_ROWS_PER_BYTE = 1_000;
