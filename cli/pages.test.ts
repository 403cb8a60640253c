import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readMatchers } from "./matchers.ts";
import { type Page, printList } from "./pages.ts";

const LENGTH = 2_500;

beforeEach(() => {
  vi.spyOn(console, "log").mockReturnValue();
  vi.spyOn(console, "error").mockReturnValue();
});
afterEach(() => vi.restoreAllMocks());

/** A server with so many items, numbered. */
function server(length: number) {
  const limits: number[] = [];
  const page = async ({ pageToken, limit }: { pageToken: string; limit: number }): Promise<Page<number>> => {
    limits.push(limit);
    const from = Number(pageToken);
    const items = Array.from({ length: Math.min(limit, length - from) }, (_, i) => from + i);
    return { items, nextPageToken: from + limit < length ? String(from + limit) : "" };
  };
  return { page, limits };
}

const printed = () => vi.mocked(console.log).mock.calls.map(([text]) => text as string);

test("a list is printed to its end, page by page", async () => {
  const { page, limits } = server(LENGTH);
  expect(await printList({ page, line: String, none: "Nothing." })).toBe(LENGTH);
  expect(printed()).toEqual(Array.from({ length: LENGTH }, (_, i) => String(i)));
  expect(limits).toEqual([1_000, 1_000, 1_000]);
  expect(console.error).not.toHaveBeenCalled();
});

test("of a list no more is asked for than is wanted", async () => {
  const { page, limits } = server(LENGTH);
  expect(await printList({ page, line: String, most: 1_200 })).toBe(1_200);
  expect(printed()).toHaveLength(1_200);
  expect(limits).toEqual([1_000, 200]);
});

test("where there is nothing, a sentence goes to the standard error", async () => {
  expect(await printList({ page: server(0).page, line: String, none: "Nothing." })).toBe(0);
  expect(printed()).toEqual([]);
  expect(console.error).toHaveBeenCalledWith("Nothing.");
});

test("matchers of all arguments count, and one that cannot be read is named", () => {
  const wanted = [
    { name: "a", operator: "=", value: "1" },
    { name: "b", operator: "!~", value: "2" },
    { name: "c", operator: "!=", value: "3" },
  ];
  expect(readMatchers("c!=3", readMatchers('a="1",b!~2'))).toEqual(wanted);
  expect(() => readMatchers("severity")).toThrow("the matcher severity has no =, !=, =~ or !~");
});
