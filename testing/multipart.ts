/** A form as a browser or a program posts it (RFC 7578), read as it came. */
export interface Part {
  readonly filename: string | undefined;
  readonly type: string | undefined;
  readonly body: Buffer;
}

/** Parts by their names. */
export function partsOf(contentType: string, body: Buffer): ReadonlyMap<string, Part> {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType)![1]!;
  // One character a byte, so that places are those of the body.
  const pieces = body.toString("latin1").split(`--${boundary}`).slice(1, -1);
  return new Map(
    pieces.map((piece) => {
      const end = piece.indexOf("\r\n\r\n");
      const head = piece.slice(0, end);
      const value = (pattern: RegExp) => pattern.exec(head)?.[1];
      const content = Buffer.from(piece.slice(end + 4, -2), "latin1");
      const part = { filename: value(/ filename="([^"]*)"/), type: value(/^content-type: (.*)$/im), body: content };
      return [value(/ name="([^"]*)"/)!, part];
    }),
  );
}
