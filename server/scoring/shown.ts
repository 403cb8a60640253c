/** What sensors are called where people see them. Every decision goes by their keys: the ids that they have in the log. */
export class Shown {
  /** By key; of sensors that were never renamed there is nothing. */
  #names: ReadonlyMap<string, string> = new Map();

  set(names: ReadonlyMap<string, string>): void {
    this.#names = names;
  }

  of(key: string): string {
    return this.#names.size === 0 ? key : (this.#names.get(key) ?? key);
  }
}
