/** Views of a list that a person has named: what stands in the address, kept by this browser. A link is how others get one. */

export interface SavedView {
  readonly name: string;
  /** As in the address, without the question mark. */
  readonly query: string;
}

/** Of one list: more names nobody looks through. */
export const MOST_VIEWS = 30;

/** Asked for at each use: to ask is what some browsers refuse. */
type Store = () => Pick<Storage, "getItem" | "setItem">;
const OF_BROWSER: Store = () => localStorage;

const keyOf = (list: string) => `telltale-views-${list}`;

/** @param list such as "alerts" */
export function readViews(list: string, store = OF_BROWSER): SavedView[] {
  try {
    const found: unknown = JSON.parse(store().getItem(keyOf(list)) ?? "[]");
    return Array.isArray(found) ? found.filter(isView).slice(0, MOST_VIEWS) : [];
  } catch {
    return []; // a browser that keeps nothing, or another's text
  }
}

/** A view of the same name is replaced. Answers with all of them; throws where the browser keeps nothing, and where there are so many others. */
export function saveView(list: string, view: SavedView, store = OF_BROWSER): SavedView[] {
  const others = readViews(list, store).filter(({ name }) => name !== view.name);
  if (others.length >= MOST_VIEWS) throw new TooManyViews();
  return write(list, [...others, view], store);
}

export class TooManyViews extends Error {
  constructor() {
    super(`There are ${MOST_VIEWS} views of this list, and no room for another. Remove one first.`);
  }
}

export function removeView(list: string, name: string, store = OF_BROWSER): SavedView[] {
  const rest = readViews(list, store).filter((each) => each.name !== name);
  return write(list, rest, store);
}

function write(list: string, views: SavedView[], store: Store): SavedView[] {
  store().setItem(keyOf(list), JSON.stringify(views));
  return views;
}

function isView(value: unknown): value is SavedView {
  const { name, query } = (value ?? {}) as Partial<SavedView>;
  return typeof name === "string" && typeof query === "string";
}
