/** Bytes that a dry run looks at. */
const MAX_LOOKED_AT = 64 * 1024;
const [LF, QUOTE] = [0x0a, 0x22];

/** The first bytes of a body, without a row that is cut off at their end. */
export async function beginningOf(
  body: AsyncIterable<Uint8Array>,
): Promise<{ readonly bytes: Uint8Array; readonly isWhole: boolean }> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body) {
    pieces.push(piece);
    length += piece.length;
    if (length > MAX_LOOKED_AT)
      return { bytes: rowsOf(Buffer.concat(pieces).subarray(0, MAX_LOOKED_AT)), isWhole: false };
  }
  return { bytes: Buffer.concat(pieces), isWhole: true };
}

/** Up to the last line break that is not within quotes; all where there is none. */
function rowsOf(bytes: Uint8Array): Uint8Array {
  let end = 0;
  let isQuoted = false;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) isQuoted = !isQuoted;
    // The second byte of a line break in UTF-16, little-endian.
    else if (bytes[at] === LF && !isQuoted) end = bytes[at + 1] === 0 ? at + 2 : at + 1;
  }
  return end === 0 ? bytes : bytes.subarray(0, end);
}
