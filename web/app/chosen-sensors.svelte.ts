/** Sensors that a person has chosen to compare. They stay chosen while other lists are looked at. */
import { BASE } from "./router.svelte.ts";
import { session } from "./session.svelte.ts";

/** More lines than these nobody tells apart. */
export const MOST_COMPARED = 8;

class ChosenSensors {
  ids = $state.raw<readonly string[]>([]);

  has(id: string | undefined): boolean {
    return id !== undefined && this.ids.includes(id);
  }

  /** One more than can be compared takes the place of the first. */
  toggle(id: string): void {
    this.ids = this.has(id) ? this.ids.filter((each) => each !== id) : [...this.ids, id].slice(-MOST_COMPARED);
  }

  clear(): void {
    this.ids = [];
  }
}

export const chosenSensors = new ChosenSensors();
session.afterEnd(() => chosenSensors.clear());

/** @param query for example the range */
export function compareHref(ids: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => (entry[1] ?? "") !== "");
  return `${BASE}/compare?${new URLSearchParams([...ids.map((id): [string, string] => ["s", id]), ...given])}`;
}
