/** Such uploads at once in a process, of one caller half of them at the most: together 256 MiB of memory and 1 GiB of disk at most. */
export const MAX_COLUMNAR_UPLOADS = 4;
/** Bytes of a Parquet or Arrow file, which lies in the temporary folder while it is read: some fifty million readings. Arrow streams may have any size. */
export const MAX_SPOOLED_BYTES = 256 * 1024 * 1024;
