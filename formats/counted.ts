/**
 * A count with its noun, for example "1 row" and "2 rows"; and with a verb, given for one and for several, "1 row was" and
 * "2 rows were".
 */
export function counted(
  count: number | bigint,
  noun: string,
  verbs?: readonly [ofOne: string, ofSeveral: string],
): string {
  const isOne = Number(count) === 1;
  const verb = verbs === undefined ? "" : ` ${verbs[isOne ? 0 : 1]}`;
  return `${count} ${noun}${isOne ? "" : "s"}${verb}`;
}
