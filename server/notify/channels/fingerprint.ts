/** Where FNV-1a of 64 bits begins, and what it multiplies by. */
const OFFSET = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;
/** Between names and values: no byte of a text in UTF-8. */
const SEPARATOR = 255;

/** Of a set of labels, as Prometheus and Alertmanager compute it: 16 hexadecimal digits. */
export function fingerprint(labels: Readonly<Record<string, string>>): string {
  // Go sorts by the bytes of UTF-8.
  const names = Object.keys(labels).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  let hash = OFFSET;
  const add = (byte: number) => {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * PRIME);
  };
  for (const name of names) {
    for (const text of [name, labels[name]!]) {
      for (const byte of Buffer.from(text)) add(byte);
      add(SEPARATOR);
    }
  }
  return hash.toString(16).padStart(16, "0");
}
