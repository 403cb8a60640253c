/** An enum as protoc-gen-es makes it without TypeScript's reverse mapping: names to numbers. */
type ProtoEnum = Readonly<Record<string, number>>;

/** The name of an enum's value in lower case, for example "out_of_range"; the number where this version does not know it. */
export function enumName(names: ProtoEnum, value: number): string {
  const found = Object.entries(names).find(([, number]) => number === value);
  return found?.[0].toLowerCase() ?? String(value);
}

/** The value with this name, in any case; undefined where there is none. */
export function enumValue<T extends ProtoEnum>(names: T, name: string): T[keyof T] | undefined {
  const found = Object.entries(names).find(([each]) => each === name.toUpperCase());
  return found?.[1] as T[keyof T] | undefined;
}
