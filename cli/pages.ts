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

/** Prints a line for each item. */
export async function printList<T>({ page, line, most = Number.POSITIVE_INFINITY, none }: Listing<T>): Promise<void> {
  let printed = 0;
  for (let pageToken = ""; printed < most; ) {
    const { items, nextPageToken } = await page({ pageToken, limit: Math.min(PAGE, most - printed) });
    for (const item of items) console.log(line(item));
    printed += items.length;
    if (nextPageToken === "") break;
    pageToken = nextPageToken;
  }
  if (printed === 0 && none !== undefined) console.error(none);
}
