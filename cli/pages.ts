/** A list as the server gives it, page by page. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

export interface Listing<T> {
  readonly page: (asked: { readonly pageToken: string; readonly limit: number }) => Promise<Page<T>>;
  readonly line: (item: T) => string;
  /** At most so many; without it all. */
  readonly most?: number | undefined;
  /** A sentence for where there is nothing. It goes to the standard error, so that scripts read an empty list. */
  readonly none?: string | undefined;
}

/** The contract's bound of a page. */
const PAGE = 1_000;

/** The items of all pages. */
export async function* itemsOf<T>(
  page: Listing<T>["page"],
  most: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<T, void> {
  let left = most;
  for (let pageToken = ""; left > 0; ) {
    const { items, nextPageToken } = await page({ pageToken, limit: Math.min(PAGE, left) });
    yield* items;
    left -= items.length;
    if (nextPageToken === "") return;
    pageToken = nextPageToken;
  }
}

/** Prints a line for each item. Answers how many there were. */
export async function printList<T>({ page, line, most, none }: Listing<T>): Promise<number> {
  let printed = 0;
  for await (const item of itemsOf(page, most)) {
    console.log(line(item));
    printed++;
  }
  if (printed === 0 && none !== undefined) console.error(none);
  return printed;
}
