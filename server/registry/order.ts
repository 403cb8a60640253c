/** The order of PostgreSQL's "C" collation: that of the bytes in UTF-8. */

/** Below 0, 0 or above. JavaScript's own order differs where one text has a character past U+FFFF and the other one from U+E000 on. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for characters behind all others. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** The first place in a sorted list of `length` whose text is not before this one. */
export function placeOf(textAt: (place: number) => string, length: number, text: string): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(textAt(middle), text) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Two lists of numbers that are sorted by their texts, in one. */
export function merged(a: Uint32Array, b: readonly number[], textOf: (number: number) => string): Uint32Array {
  const all = new Uint32Array(a.length + b.length);
  let j = 0;
  for (let i = 0, k = 0; k < all.length; k++) {
    const takesB = j < b.length && (i >= a.length || compareBytes(textOf(b[j]!), textOf(a[i]!)) < 0);
    all[k] = takesB ? b[j++]! : a[i++]!;
  }
  return all;
}
